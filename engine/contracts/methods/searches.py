"""In which order a tree is grown. `explorer.session.search` grows it."""

from __future__ import annotations

from engine.contracts.methods.method import Method, by_name

SEARCHES = by_name((
    Method("greedy", "One node a step: what the policy keeps", "the paper, Algorithm 1"),
    Method("beam", "The `--beam-width` candidates of a step that are most similar along their "
           "path, whoever their parents are", "Reddy (1977), with Eq. 3 along a path"),
    Method("best-first", "Next the node, of all that wait, that has lost the least similarity for "
           "the multiply-accumulates it saves", "Pearl (1984), with Eq. 3 along a path"),
    Method("lookahead", "The candidate is kept whose own best candidate is most similar along the "
           "path: a decision sees one step further", "rollout of depth one, Bertsekas (2013)"),
))  # fmt: skip

"""The doubts about a run's root, as they are shown beside its figures."""

from __future__ import annotations

from dataclasses import dataclass

from explorer.session.documents import origin_of
from explorer.views.shape_fields import told
from store import Run


@dataclass(frozen=True)
class DoubtView:
    """One thing that speaks against a run's figures."""

    code: str = told("its kind, such as `trained-on-validation`")
    words: str = told("what it means")


def doubts_about(run: Run) -> tuple[DoubtView, ...]:
    """What is doubted of a run's root, and so of what is measured below it."""
    return tuple(DoubtView(doubt.code, doubt.words) for doubt in origin_of(run).doubts)

"""docs/methods.md says what can be chosen: it is made from the methods."""

from __future__ import annotations

from pathlib import Path

from engine.contracts.methods import KINDS
from engine.contracts.settings import setting_named
from explorer.cli.methods_page import page

PAGE = Path(__file__).parents[2] / "docs" / "methods.md"


def test_the_page_is_what_the_methods_say():
    made = page() + "\n"
    assert PAGE.read_text() == made, "python -m explorer.cli.methods_page > docs/methods.md"


def test_every_method_is_a_choice_of_its_option_and_has_a_sentence_and_a_source():
    for option, methods in KINDS.items():
        named = setting_named(option).option
        assert named.choices == tuple(methods)
        usages = [each.usage for each in methods.values() if each.arguments]
        assert all(usage in named.argument for usage in usages)
        for name, each in methods.items():
            assert name == each.name and each.summary and each.source
            assert not each.summary.endswith(".")

"""The glossary under `?`."""

from __future__ import annotations

from pathlib import Path

from explorer.tui.keys import KEYS
from explorer.tui.screens.help_screen import page
from explorer.views.glossary import glossary_text, words

DOCS = Path(__file__).parents[2] / "docs" / "glossary.md"


def test_the_page_and_what_comes_with_the_program_are_one():
    assert DOCS.read_text() == glossary_text()
    assert len(words()) == DOCS.read_text().count("\n- **")


def test_the_words_that_people_leave_the_app_for_are_there_without_markup():
    terms = {word.term for word in words()}
    assert {"CKA", "Margin", "Too close", "MACs", "Kept", "Best", "Leave"} <= terms
    for word in words():
        assert not set("*`[]") & set(word.text) and word.text.endswith((".", ")"))


def test_a_search_finds_words_beside_keys():
    text = page(KEYS, "bootstrap", 76).plain
    assert "Words\nMargin" in text and "no key" not in text
    assert all(len(line) <= 80 for line in page(KEYS, "", 76).plain.splitlines())

"""docs/settings.md says what the settings are: it is made from their fields."""

from __future__ import annotations

from pathlib import Path

from engine.contracts.settings import PAPER, SAMPLE, all_settings
from explorer.cli.settings_page import page

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def rows() -> dict[str, list[str]]:
    """The cells of each setting's row, by its option."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| `--")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].split("`")[1]: row for row in cells}


def test_the_page_is_what_the_fields_say():
    made = page() + "\n"
    assert PAGE.read_text() == made, "python -m explorer.cli.settings_page > docs/settings.md"


def test_every_setting_has_its_row_with_its_place_and_its_presets():
    found = rows()
    assert list(found) == [each.option.flag for each in all_settings()]
    for each in all_settings():
        _, _, paper, sample, *_, key = found[each.option.flag]
        assert key == f"`{each.attribute}`"
        for cell, preset in ((paper, PAPER), (sample, SAMPLE)):
            value = preset.get(each.option.name)
            assert cell == ("" if value is None else f"{value:g}" if value != "test" else value)

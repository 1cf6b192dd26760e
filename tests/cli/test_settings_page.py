"""docs/settings.md says what the settings are: it is made from their fields."""

from __future__ import annotations

from pathlib import Path

from engine.contracts.presets import PRESETS, SAMPLE
from engine.contracts.settings import all_settings
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
        _, _, *cells, _, _, key = found[each.option.flag]
        assert key == f"`{each.attribute}`"
        columns = (*(preset.values for preset in PRESETS.values()), SAMPLE)
        for cell, values in zip(cells, columns, strict=True):
            value = values.get(each.option.name)
            said = value if isinstance(value, str) else f"{value:g}" if value is not None else ""
            assert cell == said


def test_every_preset_is_told_with_its_reason():
    text = PAGE.read_text()
    for preset in PRESETS.values():
        assert f"| `{preset.name}` | {preset.meaning} | {preset.why} |" in text

"""What diagrams share: colours that can be read on their ground, and files that are the same each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from densezoo.errors import UnknownNameError
from densezoo.results.figures import THEMES, drawing, write_figure


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear))


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", THEMES)
def test_letters_and_lines_can_be_told_from_their_ground(name: str) -> None:
    theme = THEMES[name]
    assert contrast(theme.text, theme.background) >= 7
    assert contrast(theme.faint, theme.background) >= 3
    assert all(contrast(colour, theme.background) >= 3 for colour in theme.series)


@pytest.mark.parametrize("end", ["svg", "pdf"])
def test_a_diagram_is_the_same_file_each_time(tmp_path: Path, end: str) -> None:
    for name in ("a", "b"):
        with drawing(1, width=1) as (figure, _):
            figure.text(0.5, 0.5, "a")
            write_figure(tmp_path / f"{name}.{end}", figure)
    assert (tmp_path / f"a.{end}").read_bytes() == (tmp_path / f"b.{end}").read_bytes()


def test_a_theme_that_there_is_not() -> None:
    with pytest.raises(UnknownNameError, match="there is no theme 'lihgt'; did you mean 'light'"), drawing(1, "lihgt"):
        pass

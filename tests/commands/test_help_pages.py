"""Help pages fit 80 columns, and their examples can still be pasted."""

from __future__ import annotations

import importlib
import re
import shlex

import pytest

from densezoo.commands.__main__ import command_names
from densezoo.commands.help_pages import fill, row


@pytest.mark.parametrize("name", command_names())
@pytest.mark.parametrize("columns", ["80", "200"])
def test_a_page_fits_its_terminal(name: str, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    parser = importlib.import_module(f"densezoo.commands.{name}").make_parser()
    parser.prog = f"densezoo {name}"
    too_long = [line for line in parser.format_help().splitlines() if len(line) > int(columns)]
    assert too_long == []


@pytest.mark.parametrize("name", command_names())
def test_examples_stay_what_they_are(name: str) -> None:
    """As a shell reads them: without comments, continued lines joined."""
    module = importlib.import_module(f"densezoo.commands.{name}")
    text = module.make_parser().description

    def commands(page: str) -> list[list[str]]:
        lines = re.sub(r"\\\n\s*", " ", page).splitlines()
        return [shlex.split(line, comments=True) for line in lines if re.match("densezoo |python |torchrun ", line)]

    assert commands(fill(text, 78)) == commands(text)


def test_prose_is_wrapped_and_tables_are_kept() -> None:
    text = """One sentence that is longer than the forty columns that there are.

densezoo test A    # what it does, in more words than fit
densezoo test A --one 1 --two 2 --three three
Prose after it.
Fields:
  name    the name
  longer  what takes more than the line has room
"""
    assert fill(text, 40).splitlines() == [
        "One sentence that is longer than the",
        "forty columns that there are.",
        "",
        "# what it does, in more words than fit",
        "densezoo test A",
        "densezoo test A --one 1 --two 2 \\",
        "    --three three",
        "Prose after it. Fields:",
        "  name    the name",
        "  longer  what takes more than the line",
        "          has room",
    ]
    assert row("  short") == "  short"

"""The README and the documents beside it: their size, links, Python and commands."""

from __future__ import annotations

import importlib
import io
import re
import shlex
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from quick_start_times import paste, sections

from densezoo.commands.__main__ import command_names, main
from densezoo.paths import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
HAND_WRITTEN = [path for path in DOCUMENTS if path.parent in (ROOT, ROOT / "docs")]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(path: Path, language: str) -> list[str]:
    return [text for found, text in FENCE.findall(path.read_text(encoding="utf-8")) if found == language]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def slug(heading: str) -> str:
    """GitHub's anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def commands() -> Iterator[tuple[str, list[str]]]:
    """(document, command line) of every line of a shell block that calls densezoo or a tool; comment and ``>`` go."""
    for path in DOCUMENTS:
        for block in blocks(path, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                words = list(takewhile(lambda word: word != ">", words))
                if words[:1] == ["densezoo"] or words[3:5] == ["-m", "densezoo"]:  # the latter after torchrun
                    yield name(path), words[words.index("densezoo") + 1 :]
                elif tool := next((word for word in words if word.startswith("tools/")), None):
                    yield name(path), [Path(tool).stem, *words[words.index(tool) + 1 :]]


def test_the_readme_can_be_read_in_a_minute() -> None:
    text = (ROOT / "README.md").read_bytes()
    assert len(text) < 16_000
    assert text.count(b"\n") <= 200


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_link_into_the_repository_leads_somewhere(path: Path) -> None:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("http://", "https://", "kaggle://")):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), f"{name(path)}: {link}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", FENCE.sub("", file.read_text(encoding="utf-8")), re.MULTILINE)
            assert anchor in map(slug, headings), f"{name(path)}: {link}"


def test_the_index_leads_to_every_document() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    for path in ROOT.glob("docs/*.md"):
        assert path.name == "index.md" or f"]({path.name})" in index
    for folder in ("results", "models"):
        assert f"]({folder}/index.md)" in index


def test_there_are_commands_to_look_at() -> None:
    assert len([words for document, words in commands() if document == "README.md"]) == 5
    assert len(list(commands())) > 60


@pytest.mark.parametrize("document", sorted({document for document, _ in commands()}))
def test_every_command_has_the_options_that_it_is_shown_with(document: str) -> None:
    for found, words in commands():
        if found == document:
            assert words[0] in command_names(), words
            importlib.import_module(f"densezoo.commands.{words[0]}").make_parser().parse_args(words[1:])


def test_the_quick_start_has_the_eight_tasks() -> None:
    tasks = ["Predict", "Evaluate", "Compare", "Convert", "Fine-tune", "Train", "Export", "Explain"]
    assert list(sections()) == ["Pictures to try it on", *tasks]
    assert not re.search("configs/[^ ]*safetensors|site-packages", "".join(sections().values()))


def test_the_quick_start_works_as_far_as_it_costs_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first pictures, their classes and their accuracy; all of it: the next test."""
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    monkeypatch.setattr("sys.stdout", printed)
    program = re.search(r"<<'END'\n(.*?)^END$", sections()["Pictures to try it on"], re.MULTILINE | re.DOTALL)
    assert program
    exec(compile(program[1], "quickstart.md", "exec"), {})
    for task in ("Predict", "Evaluate"):
        (line,) = _beside(sections()[task]).splitlines()
        assert main(shlex.split(line)[1:]) == 0
    assert "digits/densenet_bc_22_8" not in printed.getvalue()
    assert "on imagefolder, protocol digits\n  top-1 100.00 %" in printed.getvalue()
    assert (tmp_path / "pictures/val/3/519.png").exists()


@pytest.mark.slow
def test_the_quick_start_works_pasted_into_an_empty_folder(tmp_path: Path) -> None:
    programs = Path(sys.executable).parent
    for lines in sections().values():
        paste(_beside(lines), tmp_path, programs)
    assert (tmp_path / "digits.onnx").exists()


def _beside(lines: str) -> str:
    """The commands with their results in the current folder, where those of a wheel go; a checkout's go into it."""
    return lines.replace("densezoo test ", "densezoo test --out results ")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=[pytest.mark.slow] if path.name == "using.md" else [], id=name(path))
        for path in HAND_WRITTEN
        if path.name != "CONTRIBUTING.md"  # tests/test_contributing.py
    ],
)
def test_the_python_of_a_document_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    for block in blocks(path, "python"):
        exec(compile(block, name(path), "exec"), names)
    if path.name == "README.md":
        first, second = names["tensors"]
        assert first.shape == second.shape == (3, 224, 224)
        assert not first.equal(second)
        assert names["report"].architecture.growth_rate == 8


def test_nothing_is_promised_that_does_not_hold() -> None:
    promise = re.compile("(?<!not )every published densenet|everything that is published", re.IGNORECASE)
    for path in (ROOT / "README.md", ROOT / "pyproject.toml", ROOT / "CITATION.cff", ROOT / "densezoo/__init__.py"):
        assert not promise.search(path.read_text(encoding="utf-8")), path.name

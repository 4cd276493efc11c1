"""The commands from an installed wheel, which has no README and no docs: laid out as pyproject.toml says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import forked
import pytest

from densezoo.paths import ROOT

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a wheel is unpacked into."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "densezoo", folder / "densezoo", ignore=shutil.ignore_patterns("__pycache__"))
    text = (ROOT / "pyproject.toml").read_text()
    included = re.findall(r'^"(.+)" = "(densezoo/\.mim/.+)"$', text, re.MULTILINE)
    assert {source for source, _ in included} >= {"configs", "tools", "results"}
    for source, destination in included:
        (folder / destination).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / source).is_dir() else shutil.copy)(ROOT / source, folder / destination)
    return folder


@pytest.fixture
def run(site: Path, tmp_path: Path) -> Run:
    """run(tool, *options): in an empty folder."""

    def run(tool: str, *options: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(site)}
        return forked.run([site / f"densezoo/.mim/tools/{tool}.py", *options], cwd=tmp_path, env=environment)

    return run


def test_the_demo_works(run: Run, site: Path, tmp_path: Path) -> None:
    before = sorted(site.rglob("*.json"))
    done = run("demo")
    assert done.returncode == 0, done.stderr
    name = "digits/densenet_bc_22_8.densezoo_digits@digits.json"
    assert f"stored: work_dirs/demo/{name}\n  the same counts as in results/{name}\n" in done.stdout
    assert f"{site}/densezoo/.mim/tools/list_models.py" in done.stdout
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.json")] == [f"work_dirs/demo/{name}"]
    assert sorted(site.rglob("*.json")) == before


@pytest.mark.parametrize("options", [[], pytest.param(["--check"], marks=pytest.mark.slow)])
def test_making_tables_needs_a_clone(run: Run, site: Path, options: list[str]) -> None:
    done = run("make_tables", *options)
    assert done.returncode == 1
    assert done.stdout == ""
    (message,) = done.stderr.splitlines()
    assert message.startswith(f"error: {site}/densezoo/.mim/README.md: there is no such document")
    assert message.endswith("run densezoo make_tables in a clone")


def test_the_index_and_the_configs_are_there(run: Run) -> None:
    assert run("list_models", "densenet121.tv*").stdout.splitlines()[1].startswith("densenet121.tv_in1k")
    done = run("test", "configs/densenet121.py", "nowhere.pth")
    assert done.stderr == "error: nowhere.pth: there is no such checkpoint file\n"


def test_results_go_into_the_current_folder(run: Run, site: Path, tmp_path: Path) -> None:
    before = sorted(site.rglob("*.json"))
    weights = site / "densezoo/.mim/configs/digits/densenet_bc_22_8_digits.safetensors"
    converted = run("convert", str(weights), "digits.safetensors")
    assert converted.returncode == 0, converted.stderr
    done = run("test", "configs/digits/densenet_bc_22_8_digits.py", str(weights), "--workers", "0", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    name = "results/digits/densenet_bc_22_8.densezoo_digits@digits.json"
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.json")] == [name]
    assert sorted(site.rglob("*.json")) == before


def test_an_image_of_docker_gets_nothing_that_git_ignores() -> None:
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split()]
    left_out = [line.removeprefix("**/") for line in (ROOT / ".dockerignore").read_text().split()]
    assert ".venv" in ignored  # 5 GB
    assert [name for name in ignored if not any(fnmatch(name, pattern) for pattern in left_out)] == []

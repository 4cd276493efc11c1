"""The tutorial does what it says: each cell runs in a kernel, offline, and shows something."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import densezoo
from densezoo.paths import ROOT

TUTORIAL = ROOT / "docs/tutorial.ipynb"


def cells(kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(TUTORIAL.read_text())["cells"] if cell["cell_type"] == kind]


def test_its_code_is_code_its_outputs_are_not_kept_and_its_links_lead_somewhere() -> None:
    for cell in cells("code"):
        compile("".join(cell["source"]), str(TUTORIAL), "exec")
        assert (cell["outputs"], cell["execution_count"]) == ([], None)
    text = "".join("".join(cell["source"]) for cell in cells("markdown"))
    links = [part.partition(")")[0] for part in text.split("](")[1:]]
    assert links
    assert all((TUTORIAL.parent / link).is_file() for link in links)
    used = "".join("".join(cell["source"]) for cell in cells("code")).split("densezoo.")[1:]
    names = {part.split("(")[0].split(" ")[0] for part in used}
    assert names & set(densezoo.__all__) >= {"compare", "Classifier", "explain", "evaluate_protocols", "analyze"}


@pytest.mark.slow
def test_every_cell_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # no network is asked
    kernel = tmp_path / "JUPYTER_DATA_DIR/kernels/python3/kernel.json"
    kernel.parent.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": command, "display_name": "Python 3", "language": "python"}))
    notebook = nbformat.read(TUTORIAL, 4)
    nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = [cell["outputs"] for cell in notebook.cells if cell["cell_type"] == "code"]
    assert [bool(outputs) for outputs in shown] == [False] + [True] * (len(shown) - 1)
    kinds = {kind for outputs in shown for output in outputs for kind in output.get("data", {})}
    assert {"text/html", "image/png", "text/plain"} <= kinds

"""Each metafile's files lie in its own folder, and another's index names none outside its folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from examples import FILE, RESULT, write_index

from densezoo.errors import MetafileError
from densezoo.index.load import get_spec, load_index
from densezoo.protocols import PROTOCOLS, get_protocol
from densezoo.protocols.text import protocol_text
from densezoo.results.publication import config_text

NAME = "densenet121.mine"
CONFIG = config_text(NAME, get_spec("densenet121.tv_in1k").architecture, "imagenet1k", "timm", None)


def imported(zoo: Path, folder: str, protocol: str, **changes: object) -> Path:
    """An index that imports one more published folder, with a config and a protocol of its own."""
    own = zoo / folder
    own.mkdir()
    (own / "config.py").write_text(CONFIG)
    (own / "protocol.yml").write_text(protocol_text(PROTOCOLS[protocol], folder, "Mine."))
    result = {**RESULT, "Protocol": "protocol.yml", "Published By": folder, "Where": "w"}
    write_index(own, **{"Config": "config.py", "Results": [result], "Weight Files": [], **changes})
    lines = [f"- {path.relative_to(zoo)}\n" for path in sorted(zoo.glob("*/mine.yml"))]
    (zoo / "model-index.yml").write_text("Import:\n" + "".join(lines))
    return zoo / "model-index.yml"


def test_results_of_two_publications_stand_under_each_one_s_protocol(tmp_path: Path) -> None:
    imported(tmp_path, "a", "timm")
    spec = load_index(imported(tmp_path, "b", "keras"))[NAME]
    assert spec.config == str(tmp_path / "a/config.py"), "both configs are the same"
    own = [get_protocol(str(tmp_path / folder / "protocol.yml")).name for folder in "ab"]
    assert [(result.published_by, result.protocol) for result in spec.reported] == [*zip("ab", own)]
    assert own[0] != own[1]


@pytest.mark.parametrize("field", ["Protocol", "Config"])
def test_publications_that_contradict_each_other(tmp_path: Path, field: str) -> None:
    stated = {"Protocol": "protocol.yml"} if field == "Protocol" else {}
    imported(tmp_path, "a", "timm", **stated)
    index = imported(tmp_path, "b", "keras", **stated)
    if field == "Config":
        (tmp_path / "b/config.py").write_text(CONFIG + "# other\n")
    with pytest.raises(MetafileError, match=f"b/mine.yml: model {NAME}: {field} is '.*, but '.* in .*a/mine.yml"):
        load_index(index)


@pytest.mark.parametrize(
    "changes",
    [
        {"Weight Files": [{**FILE, "URL": None, "Path": "../../../../etc/passwd"}]},
        {"Weight Files": [{**FILE, "URL": None, "Path": "/etc/passwd"}]},
        {"Config": "x/../../mine.py"},
        {"Protocol": "../mine.yml"},
    ],
)
def test_an_imported_index_names_no_file_outside_its_folder(tmp_path: Path, changes: dict[str, object]) -> None:
    index = imported(tmp_path, "a", "timm", **changes)
    with pytest.raises(MetafileError, match=rf"a/mine\.yml: model {NAME}: .*: '.*' leaves the folder of the index"):
        load_index(index)

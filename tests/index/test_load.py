from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from math import prod
from pathlib import Path

import modelindex
import pytest
import yaml
from examples import FILE, RESULT, URL, write_index

from densezoo import api
from densezoo.errors import ConfigError, DownloadError, MetafileError, UnknownNameError
from densezoo.families import family_of
from densezoo.formats.identity import file_sha256
from densezoo.index import download, load
from densezoo.index.load import find_by_sha256, get_spec, load_index
from densezoo.index.metafile import FILE_SCHEMES
from densezoo.paths import INDEX, ROOT

DICE = "deaefd082911a1c6c92aacdcfecf03c71b932acc5c08b779c85c44eccdc0c817"


def test_the_model_index_package_reads_the_same_models() -> None:
    index = modelindex.load(str(INDEX))
    assert index.check(silent=True) == []
    assert {model.name for model in index.models} == set(load_index())


def test_parameters_are_the_architecture_s() -> None:
    for spec in load_index().values():
        shapes = (layer.shapes.items() for layer in family_of(spec.architecture).layers(spec.architecture))
        trained = (prod(shape) for each in shapes for name, shape in each if not name.startswith("running_"))
        assert spec.num_params == sum(trained), spec.name


def test_a_published_result_to_the_last_digit() -> None:
    reported, _ = (r for r in get_spec("densenet161.tv_in1k").reported if r.published_by == "torchvision")
    assert (reported.top1, reported.top5, reported.protocol) == (77.138, 93.560, "torchvision")
    assert "IMAGENET1K_V1" in reported.where


def test_files_are_known_by_their_sha256() -> None:
    dice = find_by_sha256(DICE)
    assert dice is not None
    assert (dice.name, dice.protocol, dice.license) == ("densenet_bc_100_12.dice_cifar10", "cifar-dice", "MIT")
    by_prefix = find_by_sha256("a639ec97" + "0" * 56)
    assert by_prefix is not None
    assert by_prefix.name == "densenet121.tv_in1k"
    assert find_by_sha256("0" * 64) is None


def test_the_embedded_checkpoint_is_the_one_the_index_names() -> None:
    spec = find_by_sha256(file_sha256(api.DEMO[1]))
    assert spec is not None
    (source,) = spec.weights
    assert source.path is not None
    assert ROOT / source.path == api.DEMO[1]
    assert ROOT / spec.config == api.DEMO[0]
    assert source.file_size == api.DEMO[1].stat().st_size <= 300_000


def test_an_unknown_model_suggests() -> None:
    with pytest.raises(
        UnknownNameError, match=r"there is no model 'densenet121.tv_in1'; did you mean 'densenet121.tv_in1k'"
    ):
        get_spec("densenet121.tv_in1")


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What is logged, as if nothing had been before in this process."""
    load._log_once.cache_clear()
    yield caplog
    load._log_once.cache_clear()


def test_an_architecture_s_name_alone_says_which_model_why_and_under_which_protocol(
    log: pytest.LogCaptureFixture,
) -> None:
    assert [get_spec("densenet121").name, get_spec("densenet169").name] == [
        "densenet121.ra_in1k",
        "densenet169.tv_in1k",
    ]
    get_spec("densenet121")
    first, second = log.messages  # each once
    assert first.startswith(
        "densenet121 stands for densenet121.ra_in1k: timm's name for it; its protocol is timm-288; "
        "others: densenet121.tv_in1k (torchvision), densenet121.lua_in1k (torch7), densenet121.caffe_in1k (caffe) and "
    )
    assert re.search(r" and \d+ more: densezoo list_models 'densenet121\.\*'$", first)
    assert second.startswith("densenet169 stands for densenet169.tv_in1k: timm's name for it; its protocol is torchv")


def test_the_index_that_is_made_for_openmim_says_which_one_is_meant() -> None:
    with pytest.raises(
        MetafileError, match=r"model-index\.yml: expected 'Import:'.*; .*/metafiles/index\.yml is meant"
    ):
        load_index(ROOT / "model-index.yml")


def test_it_is_said_wherever_such_a_name_is_taken(
    log: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path))
    monkeypatch.setattr(download, "locations", lambda *_: ["/nowhere"])
    with pytest.raises(ConfigError):
        api.create_model("densenet121", pretrained=True, in_chans=1)
    api.create_model("densenet_40_12")
    with pytest.raises(DownloadError):
        api.fetch_weights("densenet201")
    names = [message.partition(" stands for ")[0] for message in log.messages]
    assert names == ["densenet121", "densenet_40_12", "densenet201"]
    assert "densenet_40_12.lua_cifar10: the first one in the index; " in log.messages[1]


@pytest.mark.parametrize("name", ["densenet121.tv_in1k", "tv_densenet121", "rdnet_base", "densenet264d"])
def test_a_name_that_has_one_meaning_says_nothing(log: pytest.LogCaptureFixture, name: str) -> None:
    get_spec(name)
    assert log.messages == []


def test_the_tools_say_it_on_stderr() -> None:
    command = [sys.executable, str(ROOT / "tools/show.py"), "densenet121"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("densenet121.ra_in1k\n")
    assert done.stderr.startswith("densenet121 stands for densenet121.ra_in1k: ")


@pytest.mark.parametrize("name", ["densnet121", "DenseNet121", "densenet-121"])
def test_a_slip_suggests(name: str) -> None:
    with pytest.raises(UnknownNameError, match=f"there is no model '{name}'; did you mean 'densenet121'"):
        get_spec(name)


@pytest.mark.parametrize(
    "name",
    ["resnet50", "condensenet74", "wide_resnet50_2", "121", "", "resnet\n", "densenet122", "densenet12", "densenet"],
)
def test_another_family_or_another_number_of_layers_suggests_nothing(name: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        get_spec(name)
    expected = "densezoo has the DenseNet family; densezoo list_models lists it"
    assert str(caught.value) == f"there is no model {name!r}; {expected}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Import: mine.yml", "expected 'Import:' with a list of metafiles"),
        ("Imports: []", "expected 'Import:' with a list"),
        ("a: [", "not YAML"),
        ("!!python/object/apply:os.mkdir [ran]", "not YAML: could not determine a constructor"),
        ("Import: [missing.yml]", "missing.yml: can't be read"),
        ("Import: [a.yml]\nImport: [b.yml]", "the key 'Import' twice"),
        ("Import: [mine.yml, mine.yml]", "Import names a metafile twice"),
    ],
)
def test_a_bad_index(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "model-index.yml").write_text(text)
    with pytest.raises(MetafileError, match=message):
        load_index(tmp_path / "model-index.yml")


def add_metafile(folder: Path, **model: object) -> Path:
    """A second publisher, who speaks of densenet121.mine too."""
    collection = {"Name": "theirs", "Paper": {"URL": "https://example.org"}, "Code": {"URL": "https://example.org"}}
    entry = {"Name": "densenet121.mine", "In Collection": "theirs", **model}
    (folder / "theirs.yml").write_text(yaml.safe_dump({"Collections": [collection], "Models": [entry]}))
    (folder / "model-index.yml").write_text("Import: [mine.yml, theirs.yml]\n")
    return folder / "model-index.yml"


def test_two_publishers_of_one_model(tmp_path: Path) -> None:
    result = {**RESULT, "Where": "w"}
    write_index(tmp_path, **{"Aliases": ["mine"], "Weights": URL, "Weight Files": [FILE], "Results": [result]})
    file = {**FILE, "URL": "https://example.org/theirs.pth"}
    theirs = {
        "Aliases": ["theirs"],
        "Metadata": {"FLOPs": 2, "FLOPs Convention": "timm", "Epochs": 90},
        "Weights": file["URL"],
        "Weight Files": [file],
        "Results": [{**result, "Published By": "q"}],
    }
    spec = load_index(add_metafile(tmp_path, **theirs))["densenet121.mine"]
    assert spec.publisher == "mine"
    assert [Path(path).name for path in spec.metafiles] == ["mine.yml", "theirs.yml"]
    assert spec.aliases == ("mine", "theirs")
    assert spec.flops == {"torchvision": 1, "timm": 2}
    assert spec.recipe == {"epochs": 90}
    assert [source.url for source in spec.weights] == [URL, file["URL"]]
    assert [result.published_by for result in spec.reported] == ["p", "q"]


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        ({"Config": "configs/densenet169.py"}, "Config is 'configs/densenet169.py', but 'configs/densenet121.py' in"),
        ({"Metadata": {"Parameters": 1}}, "Parameters is 1, but 7978856 in .*mine.yml"),
        ({"Metadata": {"FLOPs": 2}}, "FLOPs: torchvision is 2, but 1 in .*mine.yml"),
    ],
)
def test_publishers_that_contradict_each_other(tmp_path: Path, theirs: dict[str, object], message: str) -> None:
    write_index(tmp_path)
    with pytest.raises(MetafileError, match=rf"theirs.yml: model densenet121.mine: .*{message}"):
        load_index(add_metafile(tmp_path, **theirs))


@pytest.mark.parametrize("alias", ["densenet121.other", "shared"])
def test_an_alias_of_another_model(tmp_path: Path, alias: str) -> None:
    write_index(tmp_path, Aliases=[alias, "shared2"] if alias == "shared" else [alias])
    other = {"Name": "densenet121.other", "Config": "configs/densenet121.py", "Protocol": "timm", "Aliases": ["shared"]}
    with pytest.raises(MetafileError, match=f"Aliases: '{alias}' already stands for densenet121"):
        load_index(add_metafile(tmp_path, **other, Metadata={"Parameters": 1}))


@pytest.mark.parametrize("twice", ["Models", "Collections"])
def test_twice_in_one_file(tmp_path: Path, twice: str) -> None:
    path = write_index(tmp_path)
    content = yaml.safe_load((tmp_path / "mine.yml").read_text())
    content[twice] *= 2
    (tmp_path / "mine.yml").write_text(yaml.safe_dump(content))
    with pytest.raises(MetafileError, match="mine.yml: (model|collection) .*mine: twice in this file"):
        load_index(path)


def test_openmim_s_reading() -> None:
    """What ``mim search`` and ``mim download`` take from a metafile: collections, metrics, one URL, a config."""
    index = modelindex.load(str(INDEX))
    collections = {collection.name: collection for collection in index.collections}
    assert len(collections) == len(list(index.collections))
    for model in index.models:
        collection = collections[model.in_collection]
        assert {"URL", "Title"} <= set(collection.paper)
        assert model.weights is None or model.weights.startswith(FILE_SCHEMES)
        assert model.config is None or (ROOT / model.config).is_file()
        for result in model.results or []:
            assert set() < set(result.metrics) <= {"Top 1 Accuracy", "Top 5 Accuracy"}

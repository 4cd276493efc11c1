"""Keras files as transfer learning leaves them: a new head, a DenseNet that stands in another model as a layer.

Real Keras 2.13, 2.18, 3.0, 3.3 and 3.15 wrote such files and computed what densezoo does (relative error 3e-7); these
are laid out as theirs.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from examples import randomise_statistics

from densezoo.api import load_checkpoint
from densezoo.conversion.export import export
from densezoo.errors import DensezooError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.keymaps import KEYMAPS, numbers
from densezoo.families.densenet.layers import layers
from densezoo.families.densenet.network import DenseNet

h5py = pytest.importorskip("h5py")

ARCH = DenseNetArchitecture(4, (2, 3), 8, bn_eps=1.001e-5, num_classes=5)
HEAD = ("global_average_pooling2d", "dropout")
Config = dict[str, Any]


@pytest.fixture(scope="module")
def network() -> DenseNet:
    torch.manual_seed(0)
    model = randomise_statistics(DenseNet(ARCH))
    assert isinstance(model, DenseNet)
    return model


@pytest.fixture(scope="module")
def exported(network: DenseNet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, bytes]:
    """The configuration and the weights of a ``.keras`` file."""
    path = tmp_path_factory.mktemp("keras") / "m.keras"
    export(path, "keras", ARCH, network.state_dict(), {})
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json")), archive.read("model.weights.h5")


def assert_same(path: Path, network: DenseNet) -> None:
    model, _ = load_checkpoint(path)
    assert model.arch == ARCH
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in network.state_dict().items())


def layer(kind: str, name: str, calls: list[Any], **config: Any) -> Config:
    return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": calls}


def nested(exported: Config, sequential: bool, *extra: Config) -> Config:
    """The body of a model as the first layer of another one, as Keras 2 writes calls and, in the body, Keras 3."""
    body = exported["config"]
    last = body["layers"][-3]["config"]["name"]
    inner = {**body, "name": "densenet", "layers": body["layers"][:-2], "output_layers": [[last, 0, 0]]}
    chain = [
        layer("InputLayer", "input_3", [], batch_input_shape=[None, 64, 64, 3]),
        *extra,
        {"class_name": "Functional", "name": "densenet", "config": inner},
        layer("GlobalAveragePooling2D", "global_average_pooling2d", []),
        layer("Dropout", "dropout", [], rate=0.3),
        layer("Dense", "dense_7", [], units=5, activation="softmax"),
    ]
    for before, after in itertools.pairwise(chain):
        after["inbound_nodes"] = [] if sequential else [[[before["config"]["name"], 0, 0, {}]]]
        if sequential:
            after.pop("name", None)
    config = {"name": "model", "layers": chain, "output_layers": [["dense_7", 0, 0]]}
    return {"class_name": "Sequential" if sequential else "Functional", "config": config}


def rewritten(weights: bytes, place: Callable[[str], str], extra: Iterable[str] = ()) -> bytes:
    """The weights with each layer's group at another place."""
    buffer = io.BytesIO()
    with h5py.File(io.BytesIO(weights)) as old, h5py.File(buffer, "w") as new:
        for name, group in old["layers"].items():
            old.copy(group, new, place(name))
        for name in extra:
            new.create_group(f"{name}/vars")
    return buffer.getvalue()


def inside(name: str) -> str:
    return f"layers/{name}" if name == "dense" else f"layers/functional/layers/{name}"


def write_keras(path: Path, config: Config, weights: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights)
    return path


def renamed(config: Config, names: dict[str, list[str]]) -> Config:
    """The inner model's layers of these classes under these names, in order."""
    text = json.dumps(config)
    for kind, new in names.items():
        old = [
            part["config"]["name"]
            for part in find(config, "Functional")["config"]["layers"]
            if part["class_name"] == kind
        ]
        for one, other in zip(old, new, strict=True):
            text = text.replace(f'"{one}"', f'"{other}"')
    return json.loads(text)  # type: ignore[no-any-return]


def write_h5(
    path: Path,
    network: DenseNet,
    head: str,
    config: Config | None,
    inner: str = "",
    others: Iterable[str] = HEAD,
    source: str = "keras",
) -> Path:
    """A file of the legacy format; ``inner``: the name of the layer that all but the head are in."""
    keymap = next(keymap for keymap in KEYMAPS if keymap.name == source)
    names: dict[str, list[str]] = {}
    kinds: dict[str, list[str]] = {"Conv2D": [], "BatchNormalization": []}
    with h5py.File(path, "w") as file:
        group = file.create_group("model_weights") if config else file
        for part in layers(ARCH):
            name = head
            if part.role != "classifier":
                name = keymap.templates[part.role][0].format(**numbers(part.block, part.index, 0))
                kinds["Conv2D" if part.kind == "conv" else "BatchNormalization"].append(name)
            outer = inner if inner and part.role != "classifier" else name
            for param in part.shapes:
                made, tensor = keymap.params[part.kind][param], network.state_dict()[f"{part.name}.{param}"]
                if param == "weight" and part.kind != "norm":
                    tensor = tensor.permute(2, 3, 1, 0) if part.kind == "conv" else tensor.t()
                names.setdefault(outer, []).append(f"{name}{made.ends[0]}:0")
                group[f"{outer}/{name}{made.ends[0]}:0"] = tensor.contiguous().numpy()
        for name in names:
            group[name].attrs["weight_names"] = [item.encode() for item in names[name]]
        for name in others:
            group.create_group(name).attrs["weight_names"] = []
        group.attrs["layer_names"] = [name.encode() for name in [*names, *others]]
        group.attrs.update({name: value.encode() for name, value in keymap.requires.items()})
        if config:
            file.attrs["model_config"] = json.dumps(renamed(config, kinds)).encode()
    return path


@pytest.mark.parametrize("sequential", [True, False])
def test_a_model_within_a_model(
    tmp_path: Path, network: DenseNet, exported: tuple[Config, bytes], sequential: bool
) -> None:
    config, weights = nested(exported[0], sequential), rewritten(exported[1], inside)
    assert_same(write_keras(tmp_path / "m.keras", config, weights), network)
    (tmp_path / "m.weights.h5").write_bytes(weights)
    assert_same(tmp_path / "m.weights.h5", network)
    assert_same(write_h5(tmp_path / "m.h5", network, "dense_7", config, "densenet"), network)
    assert_same(write_h5(tmp_path / "w.h5", network, "dense_7", None, "densenet"), network)


def test_osmr_s_layers_stand_in_groups_of_groups(tmp_path: Path, network: DenseNet) -> None:
    model, report = load_checkpoint(write_h5(tmp_path / "m.h5", network, "output", None, source="osmr-keras"))
    assert report.source == "osmr-keras"
    assert any("pads the stem's pool" in hint for hint in report.hints)
    assert model.arch == dataclasses.replace(ARCH, bn_eps=1e-5, head_pool=7)
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in network.state_dict().items())
    with h5py.File(tmp_path / "m.h5", "a") as file:
        file.attrs["backend"] = b"tensorflow"  # where the same code pads the stem's pool otherwise
    with pytest.raises(DensezooError, match="nothing was loaded"):
        load_checkpoint(tmp_path / "m.h5")


def test_kerashub_s_classifier_is_not_taken_for_keras_applications_s(
    tmp_path: Path, exported: tuple[Config, bytes]
) -> None:
    """keras_hub 0.32 wrote such groups; its first convolution and its pool pad as "same"."""
    path = tmp_path / "m.weights.h5"
    path.write_bytes(rewritten(exported[1], lambda name: inside(name).replace("functional", "dense_net_backbone")))
    model, report = load_checkpoint(path)
    assert report.source == "kerashub"
    assert model.arch == dataclasses.replace(ARCH, stem_padding="same", pool_padding="same")


@pytest.mark.parametrize("head", ["predictions", "fc1000", "dense", "dense_12", "my_head"])
def test_a_head_of_any_name(tmp_path: Path, network: DenseNet, head: str) -> None:
    assert_same(write_h5(tmp_path / "m.h5", network, head, None), network)


def test_the_groups_of_keras_2_13(tmp_path: Path, network: DenseNet, exported: tuple[Config, bytes]) -> None:
    weights = rewritten(exported[1], "_layer_checkpoint_dependencies/{}".format)
    assert_same(write_keras(tmp_path / "m.keras", exported[0], weights), network)


AUGMENTATION = ("RandomFlip", "RandomRotation", "GaussianNoise")


def test_layers_that_act_in_training_only(tmp_path: Path, network: DenseNet, exported: tuple[Config, bytes]) -> None:
    extra = [layer(kind, kind.lower(), []) for kind in AUGMENTATION]
    config = nested(exported[0], True, *extra)
    assert_same(write_keras(tmp_path / "m.keras", config, rewritten(exported[1], inside)), network)


def find(config: Config, kind: str) -> Config:
    """The last layer of a class, here or in a model within."""
    for part in reversed(config["config"]["layers"]):
        if part["class_name"] == kind:
            return part  # type: ignore[no-any-return]
        if "layers" in part["config"]:
            return find(part, kind)
    raise LookupError(kind)


def falsify_relu(config: Config) -> None:
    found = find(find(config, "Functional"), "Activation")
    found["class_name"], found["config"] = "ReLU", {"name": found["config"]["name"], "max_value": 6.0}


OTHER_FUNCTIONS: list[tuple[Callable[[Config], object], str]] = [
    (lambda config: find(config, "Dense")["config"].update(activation="sigmoid"), "found sigmoid"),
    (
        lambda config: find(config, "GlobalAveragePooling2D").update(class_name="GlobalMaxPooling2D"),
        "GlobalMaxPooling2D",
    ),
    (lambda config: find(config, "Dropout").update(class_name="Lambda"), "found Lambda"),
    (
        lambda config: find(config, "Dropout").update(inbound_nodes=[[["a", 0, 0, {"training": True}]]]),
        "as in training",
    ),
    (falsify_relu, "found ReLU with max_value 6.0"),
]


@pytest.mark.parametrize(("falsify", "message"), OTHER_FUNCTIONS)
def test_another_function_is_refused(
    tmp_path: Path, exported: tuple[Config, bytes], falsify: Callable[[Config], object], message: str
) -> None:
    config = json.loads(json.dumps(nested(exported[0], True)))
    falsify(config)
    with pytest.raises(DensezooError, match=message):
        load_checkpoint(write_keras(tmp_path / "m.keras", config, rewritten(exported[1], inside)))


@pytest.mark.parametrize("name", ["rescaling", "global_max_pooling2d_3", "lambda_1", "tf.math.truediv"])
def test_weights_alone_still_list_what_is_no_densenet(
    tmp_path: Path, network: DenseNet, exported: tuple[Config, bytes], name: str
) -> None:
    path = write_h5(tmp_path / "m.h5", network, "dense", None, "densenet", [*HEAD, name])
    with pytest.raises(DensezooError, match=f"lists the layer '{name}'"):
        load_checkpoint(path)
    path.write_bytes(rewritten(exported[1], inside, [f"layers/{name}"]))
    with pytest.raises(DensezooError, match=f"lists the layer '{name}'"):
        load_checkpoint(path)


def test_a_kind_of_layers_in_two_models_is_refused(tmp_path: Path, exported: tuple[Config, bytes]) -> None:
    outside = ("dense", "batch_normalization")
    weights = rewritten(exported[1], lambda name: f"layers/{name}" if name in outside else inside(name))
    (tmp_path / "m.weights.h5").write_bytes(weights)
    with pytest.raises(DensezooError, match=r"norm\.0\.gamma is in .* and in another model of the file"):
        load_checkpoint(tmp_path / "m.weights.h5")

"""What every family has to give, and a second one that is added without a change to the rest of densezoo."""

from __future__ import annotations

import dataclasses
import importlib
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from computation_interpreter import run
from toy_family import Toy, ToyArchitecture, register

import densezoo
from densezoo.config import load_config
from densezoo.conversion.export import TARGETS, export
from densezoo.conversion.match import convert, recognise
from densezoo.errors import CheckpointError, ConfigError, UnknownNameError
from densezoo.families import (
    FAMILIES,
    architecture_values,
    build_architecture,
    build_model,
    densenet,
    families,
    family_of,
    get_family,
)
from densezoo.families.claims import num_params
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.network import DenseNet
from densezoo.families.operations import INVERSES, OPERATIONS
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.safetensors import write_safetensors
from densezoo.index.select import Value
from densezoo.results.cards import model_card
from densezoo.types import Accuracy, Checkpoint
from densezoo.types.computation import channels, sides

SMALL = ToyArchitecture(norm_eps=1e-4)


@pytest.fixture(autouse=True)
def second_family(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


def defaults(name: str) -> Any:
    return get_family(name).architecture()


def randomised(network: torch.nn.Module) -> torch.nn.Module:
    """The same with gains and norms that do something; in eval mode."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim == 1 and not name.endswith("bias"):
                parameter.uniform_(0.5, 1.5, generator=generator)
    return network.eval()


def toy_weights(arch: ToyArchitecture = SMALL, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights, with gains and norms that do something."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {name: tensor.shape for name, tensor in Toy(arch).state_dict().items()}
    return {name: torch.rand(shape, generator=generator) - 0.3 for name, shape in shapes.items()}


EVERY = pytest.mark.parametrize("name", [*FAMILIES, "toy"])


@EVERY
def test_layers_are_the_network_s_tensors(name: str) -> None:
    family, arch = get_family(name), defaults(name)
    with torch.device("meta"):
        network = family.network(arch, draw_weights=False)
    state_dict = network.state_dict()
    assert num_params(arch) == sum(parameter.numel() for parameter in network.parameters())
    expected = {key: tuple(tensor.shape) for key, tensor in state_dict.items() if "num_batches" not in key}
    layers = list(family.layers(arch))
    assert {f"{layer.name}.{param}": shape for layer in layers for param, shape in layer.shapes.items()} == expected
    assert [layer.role for layer in layers][-1] == "classifier"
    assert all(layer.kind == family.kind_of(layer.role) for layer in layers)


@EVERY
def test_every_key_table_names_every_layer(name: str) -> None:
    family = get_family(name)
    assert len({keymap.name for keymap in family.keymaps}) == len(family.keymaps)
    fields = {field.name for field in dataclasses.fields(family.architecture)}
    roles = {layer.role: layer for layer in family.layers(defaults(name))}
    for keymap in family.keymaps:
        assert family.anchor[0] in keymap.templates, keymap.name
        assert set(keymap.semantics) | {field for asked in keymap.asks for field in (asked[0],)} <= fields
        for role in roles.keys() & keymap.templates.keys():
            assert set(roles[role].shapes) <= set(keymap.params[roles[role].kind]), (keymap.name, role)
            for template in keymap.templates[role]:
                template.format(**family.numbers(1, 1, 0))
        assert all(param.op in OPERATIONS for made in keymap.params.values() for param in made.values())
    first = family.keymaps[0]
    assert roles.keys() <= first.templates.keys()
    assert all(param.op in INVERSES for made in first.params.values() for param in made.values())


@EVERY
def test_what_a_family_says_of_fields_is_of_fields_that_exist(name: str) -> None:
    family = get_family(name)
    fields = {field.name for field in dataclasses.fields(family.architecture)}
    assert {"in_chans", "num_classes", "drop_rate"} <= fields
    assert set(family.sizes) <= set(family.inferred) <= fields
    for system in family.systems.values():
        assert {*system.only, *system.only_built, *system.only_stored} <= fields
        assert not (system.build and system.cannot_build(defaults(name)))
    assert any(not system.cannot_store(defaults(name)) for key, system in family.systems.items() if key != "densezoo")
    assert family.systems["densezoo"].build
    assert family.systems["densezoo"].write
    assert not family.systems["densezoo"].only
    for pattern, _ in family.fragments:
        re.compile(pattern)


@EVERY
def test_a_family_s_architecture_has_the_name_of_its_folder(name: str) -> None:
    arch = defaults(name)
    assert (arch.family, get_family(name).name, family_of(arch)) == (name, name, get_family(name))
    assert hash(arch) == hash(defaults(name))
    assert dataclasses.replace(arch, drop_rate=0.5).same_function() == arch.same_function()
    assert build_architecture(architecture_values(arch), "x") == arch


@EVERY
@torch.inference_mode()
def test_images_feature_maps_and_classifier(name: str) -> None:
    family, arch = get_family(name), dataclasses.replace(defaults(name), num_classes=4)
    side = family.smallest_side(arch)
    network = build_model(arch).eval()
    assert network(torch.zeros(2, arch.in_chans, side, side)).shape == (2, 4)
    assert family.with_fresh_classifier(network, 7)(torch.zeros(1, arch.in_chans, side, side)).shape == (1, 7)
    maps = family.feature_maps(network, arch)(torch.zeros(1, arch.in_chans, side, side))
    assert [tuple(found.shape[1:]) for found in maps] == [
        (channels, side // reduction, side // reduction) for channels, reduction in family.stages(arch)
    ]


@EVERY
@torch.inference_mode()
def test_the_computation_is_the_module_s(name: str) -> None:
    family, arch = get_family(name), dataclasses.replace(defaults(name), num_classes=4)
    network, nodes = randomised(build_model(arch)), family.computation(arch)
    for height, width in ((64, 96), (100, 67)):
        images = torch.randn(1, arch.in_chans, height, width, generator=torch.Generator().manual_seed(0))
        outputs = run(nodes, network.state_dict(), images)
        torch.testing.assert_close(outputs[nodes.output.name], network(images), rtol=1e-5, atol=1e-6)
        widths, maps = channels(nodes), sides(nodes, height, width)
        for step, output in outputs.items():
            assert (output.shape[1], tuple(output.shape[2:]) or (1, 1)) == (widths[step], maps[step]), step
    taken = sorted(weight for node in nodes.nodes for weight in node.weights)
    assert taken == sorted(key for key in network.state_dict() if "num_batches" not in key)


@EVERY
def test_a_family_s_words(name: str) -> None:
    family, arch = get_family(name), defaults(name)
    assert family.summary(arch).endswith(".")
    assert family.citation.startswith("@")
    assert all(isinstance(of(arch), (str, float, int, type(None))) for _, of in family.fields.values())
    assert family.a_title in ("a DenseNet", "a Toy", "an RDNet")


@EVERY
def test_building_on_meta_is_quick(name: str) -> None:
    family, arch = get_family(name), defaults(name)
    family.network(family.architecture(), draw_weights=False)  # what is imported once
    start = time.process_time()
    with torch.device("meta"):
        family.network(arch, draw_weights=False)
    assert time.process_time() - start < 2


def test_listing_a_family_imports_no_torch() -> None:
    program = (
        "import sys; from densezoo.families import families; "
        "[(family.fields, list(family.layers(family.architecture()))) for family in families()]; "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(UnknownNameError, match="there is no family 'densnet'; did you mean 'densenet'"):
        get_family("densnet")
    with pytest.raises(ConfigError, match="m.py: model: there is no family 'toyy'; did you mean 'toy'"):
        build_architecture({"family": "toyy"}, "m.py: model")
    with pytest.raises(ConfigError, match="m.py: model: unknown key 'growth_rate'"):
        build_architecture({"family": "toy", "growth_rate": 3}, "m.py: model")


def test_values_of_the_first_family_have_no_name_of_it() -> None:
    assert architecture_values(DenseNetArchitecture()) == dataclasses.asdict(DenseNetArchitecture())
    assert architecture_values(SMALL)["family"] == "toy"


def test_a_config_names_its_family(tmp_path: Path) -> None:
    text = (
        "model = dict(family='toy', widths=(2, 3), num_classes=4)\ndataset = 'imagenet1k'\nprotocol = 'torchvision'\n"
    )
    (tmp_path / "toy.py").write_text(text)
    assert load_config(tmp_path / "toy.py").model == ToyArchitecture((2, 3), num_classes=4)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_its_names_are_recognised_and_its_architecture_inferred(tmp_path: Path, prefix: str) -> None:
    arch = ToyArchitecture((4, 6, 5), num_classes=3)
    torch.save({prefix + name: tensor for name, tensor in toy_weights(arch).items()}, tmp_path / "m.pth")
    assert recognise(read_checkpoint(tmp_path / "m.pth")).family is get_family("toy")
    network, report = densezoo.load_checkpoint(tmp_path / "m.pth")
    assert (report.architecture, report.source, report.matched) == (arch, "toy", 19)
    assert all(network.state_dict()[name].equal(tensor) for name, tensor in toy_weights(arch).items())


def test_another_source_s_names_layout_and_epsilon(tmp_path: Path) -> None:
    names = {"conv.weight": "c.kernel", "conv.": "c.", ".norm.": ".n.", "gamma": "scale"}
    foreign = {}
    for name, tensor in toy_weights(ToyArchitecture()).items():
        key = name
        for ours, theirs in names.items():
            key = key.replace(ours, theirs)
        key = re.sub(r"stages\.(\d)", lambda match: f"foo{int(match[1]) + 1}", key)
        foreign[key] = tensor.permute(2, 3, 1, 0).contiguous() if tensor.ndim == 4 else tensor
    torch.save(foreign, tmp_path / "foo.pth")
    arch, weights, report = convert(read_checkpoint(tmp_path / "foo.pth"))
    assert (arch, report.source) == (ToyArchitecture(norm_eps=1e-3), "foo")
    assert all(weights[name].equal(tensor) for name, tensor in toy_weights(ToyArchitecture()).items())


@pytest.mark.parametrize("to", ["densezoo", "timm"])
def test_what_is_written_reads_back(tmp_path: Path, to: str) -> None:
    assert to in TARGETS
    arch = ToyArchitecture()
    export(tmp_path / "m", to, arch, toy_weights(arch), {"architecture": architecture_values(arch)})
    network, report = densezoo.load_checkpoint(tmp_path / "m")
    assert report.architecture == arch
    images = torch.randn(2, 3, 8, 8)
    expected = Toy(arch).eval()
    expected.load_state_dict(toy_weights(arch))
    with torch.inference_mode():
        assert network(images).equal(expected(images))


def test_densezoo_s_own_file_carries_what_no_tensor_shows(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    source, target = tmp_path / "m.safetensors", tmp_path / "a/m.safetensors"
    write_safetensors(source, toy_weights(), {"architecture": architecture_values(SMALL)})
    report, _ = densezoo.api.convert_checkpoint(source, target, verify=True)
    assert report.architecture == SMALL
    assert densezoo.load_checkpoint(target)[1].architecture == SMALL
    with pytest.raises(CheckpointError, match="norm_eps 0.0001; .* Write it for densezoo, whose files"):
        export(tmp_path / "m.pth", "timm", SMALL, toy_weights(), {})
    with pytest.raises(CheckpointError, match="can't write a Toy for keras; expected one of densezoo, timm"):
        export(tmp_path / "m.keras", "keras", SMALL, toy_weights(), {})


def test_wrong_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    weights = toy_weights()

    def refusal(tensors: dict[str, torch.Tensor], arch: densezoo.types.Architecture | None = None) -> str:
        torch.save(tensors, path)
        with pytest.raises(CheckpointError) as caught:
            densezoo.load_checkpoint(path, arch)
        return str(caught.value)

    gain = "stages.1.gamma"
    assert f"missing (1): {gain}" in refusal({name: weights[name] for name in weights if name != gain})
    assert "mismatched (1): stages.1.gamma: expected (6,), found (7,)" in refusal({**weights, gain: torch.zeros(7)})
    assert "unexpected (1): stages.1.conv.running_mean" in refusal(
        {**weights, "stages.1.conv.running_mean": torch.zeros(6)}
    )
    message = refusal(weights, ToyArchitecture((4, 8)))
    assert "by its tensors (toy names): widths is (4, 6), expected (4, 8)" in message
    assert "by its names (toy) this is a Toy; expected a DenseNet" in refusal(weights, DenseNetArchitecture())
    small = DenseNetArchitecture(4, (1, 1), 8, num_classes=3)
    message = refusal(dict(DenseNet(small).state_dict()), SMALL)
    assert "by its names (torchvision) this is a DenseNet; expected a Toy (widths (4, 6), in_chans 3" in message
    features = {name: weights[name] for name in weights if name.startswith("stages")}
    assert "these are a Toy's features without their classifier" in refusal(features)
    assert "or Toy under any naming" in refusal({"a": torch.zeros(1)})


def test_a_file_that_says_another_family_than_its_names(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "m", toy_weights(), {"architecture": {"family": "densenet"}})
    with pytest.raises(CheckpointError, match=r"of the family 'densenet'; by its names \(toy\) it is a Toy"):
        densezoo.load_checkpoint(tmp_path / "m")


def test_its_model_card_and_listing() -> None:
    spec = dataclasses.replace(densezoo.get_spec("densenet121.tv_in1k"), architecture=SMALL)
    card = model_card("toy", [spec])
    assert "A toy of 2 stages." in card
    assert "@misc{toy," in card
    assert "4, 6 channels at 1/1, 1/1 of" in card
    program = "from densezoo.index.select import field; print(field('growth_rate').text)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "channels that a layer adds"
    from densezoo.index.select import field

    value: Value = field("growth_rate").value(Accuracy(spec))
    assert value is None


HUGE = 10**9


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"block_config": [HUGE]}, "block_config is of 1,000,000,000 layers; expected 1,000 at the most"),
        ({"block_config": [501, 500]}, "block_config is of 1,001 layers"),
        (
            {"growth_rate": HUGE},
            "num_init_features, growth_rate and block_config: 58,000,000,064 channels; expected",
        ),
        ({"num_init_features": HUGE}, "num_init_features, growth_rate and block_config: 1,000,001,856 channels"),
        ({"bn_size": HUGE}, "bn_size and growth_rate: 32,000,000,000 channels"),
        ({"in_chans": HUGE}, "in_chans: 1,000,000,000 channels"),
        ({"num_classes": 10**400}, "num_classes: "),
        ({"family": "rdnet", "block_config": [1, 1, 1, 1, 1, 1, HUGE]}, "block_config is of 1,000,000,006 layers"),
        ({"family": "rdnet", "growth_rates": [HUGE] * 7}, "num_init_features, growth_rates and block_config: 21,"),
        ({"family": "rdnet", "expansion": 1e300}, "the same times expansion: "),
        ({"family": "rdnet", "patch_size": HUGE}, "patch_size is 1000000000; expected 256 at the most"),
        ({"family": "rdnet", "num_init_features": 10**400}, "num_init_features, growth_rates and block_config: "),
    ],
)
def test_a_size_that_no_network_has_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"m.py: model: {message}"):
        build_architecture(values, "m.py: model")


def test_a_file_that_claims_a_size_that_no_network_has_is_refused(tmp_path: Path) -> None:
    claimed = {"growth_rate": 4, "block_config": [HUGE, 1]}
    network = DenseNet(DenseNetArchitecture(4, (1, 1), 8, num_classes=3))
    write_safetensors(tmp_path / "m.safetensors", network.state_dict(), {"architecture": claimed})
    with pytest.raises(CheckpointError, match="m.safetensors: options: block_config is of 1,000,000,001 layers"):
        densezoo.load_checkpoint(tmp_path / "m.safetensors")


def test_tensors_of_a_size_that_no_network_has_are_refused() -> None:
    tensors = DenseNet(DenseNetArchitecture(4, (1, 1), 8, num_classes=3)).state_dict()
    tensors["classifier.weight"] = torch.empty(HUGE, 9, device="meta")
    message = r"m: by its tensors \(torchvision names\): num_classes: 1,000,000,000 channels; expected 1,048,576 at"
    with pytest.raises(CheckpointError, match=message):
        convert(Checkpoint("m", "pytorch", tensors))


def test_what_a_folder_lacks_has_a_default_and_a_missing_package_is_no_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = Checkpoint("m", "pytorch", {})
    assert get_family("rdnet").fold_modules(checkpoint) is checkpoint  # it has no module `torch7`
    assert get_family("rdnet").ranks(None) == {}  # type: ignore[arg-type]  # its module has no such function

    def import_module(name: str) -> None:
        raise ModuleNotFoundError("No module named 'timm'", name="timm")

    monkeypatch.setattr(importlib, "import_module", import_module)
    with pytest.raises(ModuleNotFoundError, match="timm"):
        densenet.FAMILY.named_networks(checkpoint)


def test_every_family_is_registered_once() -> None:
    assert len({family.title for family in families()}) == len(families())

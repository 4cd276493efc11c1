"""Networks from Torch7 files: against Torch7's own outputs, and against what the tests' interpreter computes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from examples import randomise_statistics
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch7_interpreter import run
from torch7_writer import Builder, Obj, Sto, Style, Ten, dumps, write_network

from densezoo.api import load_checkpoint
from densezoo.errors import CheckpointError, DensezooError, FormatError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.network import DenseNet
from densezoo.families.densenet.torch7 import fold_modules
from densezoo.formats import detect
from densezoo.types import Checkpoint

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures/torch7"

BC = DenseNetArchitecture(4, (2, 1, 2), 8, stem="cifar", num_classes=5)
PLAIN = DenseNetArchitecture(4, (2, 2), 8, bn_size=None, reduction=1.0, stem="cifar", num_classes=3)
IMAGENET = DenseNetArchitecture(4, (1, 2, 1, 1), 8, bn_eps=1e-3, num_classes=7)
TINY = DenseNetArchitecture(4, (1, 1), 8, stem="cifar", num_classes=3)


def read_checkpoint(path: Path) -> Checkpoint:
    """The file's network under canonical names."""
    return fold_modules(detect.read_checkpoint(path))


def network(arch: DenseNetArchitecture, seed: int = 0) -> DenseNet:
    torch.manual_seed(seed)
    model = randomise_statistics(DenseNet(arch), seed)
    assert isinstance(model, DenseNet)
    return model


def tree(arch: DenseNetArchitecture = TINY, **style: Any) -> Obj:
    return Builder(network(arch), Style(**style)).build()


def find(root: Obj, name: str) -> list[Obj]:
    """Every module of a class, in order."""
    children = root.fields.get("modules", [])
    here = [root] if root.class_name.endswith(name) else []
    return here + [found for child in children for found in find(child, name)]


def save(path: Path, value: Any, **options: Any) -> Path:
    path.write_bytes(dumps(value, **options))
    return path


def error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found.double() - expected.double()).abs().max() / expected.double().abs().max())


def image(arch: DenseNetArchitecture = TINY, side: int | None = None) -> torch.Tensor:
    side = side or (224 if arch.stem == "imagenet" else 32)
    return torch.randn(2, arch.in_chans, side, side, generator=torch.Generator().manual_seed(1))


def check_outputs(path: Path, root: Obj, tolerance: float = 2e-6, side: int | None = None, **options: Any) -> Any:
    """The file's network computes what its modules do; returns the report."""
    save(path, root)
    model, report = load_checkpoint(path, **options)
    assert isinstance(model, DenseNet)
    x = image(model.arch, side)
    with torch.inference_mode():
        assert error(model(x), run(root, x.double())) < tolerance
    return report


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.output.npy")), ids=lambda path: path.name.partition(".")[0])
def test_outputs_of_torch7(path: Path) -> None:
    model, report = load_checkpoint(path.with_name(path.name.replace(".output.npy", ".t7")))
    x, y = (torch.from_numpy(np.load(name)) for name in (FIXTURES / "input.npy", path))
    with torch.inference_mode():
        assert error(model(x), y) < 2e-6
    assert report.format == "torch7"


@pytest.mark.parametrize("path", sorted((FIXTURES / "negative").glob("*.t7")), ids=lambda path: path.stem)
def test_broken_files(path: Path) -> None:
    with pytest.raises(DensezooError, match=path.name):
        read_checkpoint(path)


def test_a_resnet_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"nn\.ConcatTable, offset 4,990\) is what ResNets are made of"):
        read_checkpoint(FIXTURES / "12i_other_resnet8.t7")


def test_dropped_tensors_are_named() -> None:
    assert read_checkpoint(FIXTURES / "06_ascii.t7").dropped == {"gradients": 65}
    assert read_checkpoint(FIXTURES / "00_tiny_bc_d10_k4.t7").dropped == {}


STYLES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"layout": "2016"}, {}),
    ({"layout": "custom"}, {}),
    ({"backend": "nn"}, {"long_size": 4}),
    ({"backend": "nn", "matrix": True, "bias": True}, {}),
    ({"kind": "Cuda", "gradients": True, "flat": True}, {}),
    ({"kind": "Double", "flat": True}, {"ascii": True}),
    ({"kind": "CudaDouble", "layout": "2016"}, {"long_size": 4}),
    ({"dropout": 0.2, "flat": True}, {"ascii": True}),
]


@pytest.mark.parametrize(("style", "options"), STYLES)
@pytest.mark.parametrize("arch", [BC, PLAIN, IMAGENET], ids=["bc", "plain", "imagenet"])
def test_weights_come_back_bit_for_bit(
    tmp_path: Path, arch: DenseNetArchitecture, style: dict[str, Any], options: dict[str, Any]
) -> None:
    model = network(arch)
    write_network(tmp_path / "x.t7", model, Style(**style), **options)
    loaded, report = load_checkpoint(tmp_path / "x.t7")
    assert loaded.arch == arch
    assert all(torch.equal(loaded.state_dict()[name], tensor) for name, tensor in model.state_dict().items())
    assert set(report.dropped) == ({"gradients"} if style.get("gradients") else set())


def test_semantics(tmp_path: Path) -> None:
    write_network(tmp_path / "x.t7", network(IMAGENET))
    assert read_checkpoint(tmp_path / "x.t7").semantics == {
        "bn_eps": 1e-3, "transition_pool": "avg", "stem_padding": "torch", "pool_padding": "torch",
        "ceil_mode": False, "stem_ceil_mode": None,
    }  # fmt: skip
    with pytest.raises(CheckpointError, match=r"bn_eps was asked to be 1e-05, and the file says 0.001"):
        load_checkpoint(tmp_path / "x.t7", bn_eps=1e-5)


@pytest.mark.parametrize(
    ("module", "fields", "stated"),
    [
        ("SpatialMaxPooling", {}, {"transition_pool": "max"}),
        ("SpatialMaxPooling", {"ceil_mode": True}, {"transition_pool": "max", "ceil_mode": True}),
        ("SpatialAveragePooling", {"ceil_mode": True}, {"transition_pool": "avg", "ceil_mode": True}),
    ],
)
def test_pooling_is_stated(tmp_path: Path, module: str, fields: dict[str, Any], stated: dict[str, Any]) -> None:
    root = tree(backend="nn")
    pool = find(root, "Pooling")[0]
    pool.class_name = f"nn.{module}"
    pool.fields |= fields
    assert read_checkpoint(save(tmp_path / "x.t7", root)).semantics.items() >= stated.items()


@pytest.mark.parametrize("stem", [True, False])
@pytest.mark.parametrize("transitions", [True, False])
def test_a_stem_that_rounds_otherwise(tmp_path: Path, stem: bool, transitions: bool) -> None:
    root = tree(IMAGENET, backend="nn")
    pools = find(root, "Pooling")
    for pool, ceil_mode in zip(pools, [stem] + [transitions] * 3):
        pool.fields["ceil_mode"] = ceil_mode
    side = 8 if transitions else 7
    pools[-1].fields |= {"kW": side, "kH": side}
    check_outputs(tmp_path / "x.t7", root, side=228)
    pools[2].fields["ceil_mode"] = not transitions
    with pytest.raises(CheckpointError, match="its poolings are not alike"):
        load_checkpoint(save(tmp_path / "x.t7", root))


@pytest.mark.parametrize(("kernel", "stated"), [(16, None), (10, 10), (32, 32)])
def test_a_head_for_other_maps_is_stated(tmp_path: Path, kernel: int, stated: int | None) -> None:
    root = tree()
    find(root, "AveragePooling")[-1].fields |= {"kW": kernel, "kH": kernel}
    checkpoint = read_checkpoint(save(tmp_path / "x.t7", root))
    assert checkpoint.semantics.get("head_pool") == stated
    assert any("in larger ones" in hint for hint in checkpoint.hints) == (stated is None)


def test_the_whole_map_s_head_can_be_asked_to_stay_as_it_was(tmp_path: Path) -> None:
    """For images larger than those that the network is made for, which Torch7 pools in part."""
    root = tree(backend="nn")
    check_outputs(tmp_path / "x.t7", root, side=40, head_pool=16)


def randomise(root: Obj, rng: np.random.Generator, biases: bool, epsilons: bool, order: bool, inverse: bool) -> None:
    """Makes a network that differs from a DenseNet in what can be folded into weights."""
    for conv in find(root, "SpatialConvolution") if biases else []:
        count = conv.fields["nOutputPlane"]
        values = rng.normal(size=count).astype("f4")
        conv.fields["bias"] = Ten("Float", (count,), (1,), 0, Sto("Float", values))
    for norm in find(root, "BatchNormalization"):
        if epsilons:
            norm.fields["eps"] = float(rng.choice([1e-5, 1e-3, 0.1]))
        if inverse:
            variance = norm.fields.pop("running_var").storage.values
            values = (variance.astype("f8") + norm.fields["eps"]) ** -0.5
            norm.fields["running_std"] = Ten("Float", values.shape, (1,), 0, Sto("Float", values.astype("f4")))
            norm.version = 1
    for dropout in find(root, "Dropout"):
        dropout.fields |= {"p": float(rng.choice([0.0, 0.2, 0.7])), "v2": bool(rng.integers(2))}
    for concat in find(root, "nn.Concat") if order else []:
        concat.fields["modules"] = concat.fields["modules"][:: rng.choice([1, -1])]


@given(
    arch=st.sampled_from([BC, PLAIN, TINY]),
    layout=st.sampled_from(["2016", "2017", "custom"]),
    dropout=st.sampled_from([None, 0.5]),
    seed=st.integers(0, 10**6),
    differences=st.tuples(*[st.booleans()] * 4),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
def test_what_differs_is_folded_exactly(
    tmp_path: Path,
    arch: DenseNetArchitecture,
    layout: str,
    dropout: float | None,
    seed: int,
    differences: tuple[bool, ...],
) -> None:
    root = Builder(network(arch, seed % 7), Style(layout=layout, dropout=dropout)).build()
    randomise(root, np.random.default_rng(seed), *differences)
    check_outputs(tmp_path / "x.t7", root, 1e-5)


def test_what_was_folded_is_named(tmp_path: Path) -> None:
    root = tree(bias=True, new_first=True, dropout=0.5, dropout_v1=True)
    find(root, "SpatialConvolution")[0].fields["bias"].storage.values[0] = 1
    find(root, "BatchNormalization")[0].fields["eps"] = 0.1
    assert read_checkpoint(save(tmp_path / "x.t7", root)).hints[-1] == (
        "folded into the weights, exactly: biases of convolutions, dropout that scales in evaluation, "
        "new channels before old ones, several epsilons"
    )


def test_the_report_names_the_system_and_what_was_folded(tmp_path: Path) -> None:
    _, report = load_checkpoint(save(tmp_path / "x.t7", tree(bias=True, new_first=True)))
    assert report.source == report.format == "torch7"
    assert "folded into the weights, exactly: " in str(report)


def test_norms_and_classifiers_without_parameters(tmp_path: Path) -> None:
    root = tree(backend="nn")
    norm = find(root, "BatchNormalization")[1]
    norm.fields |= {"affine": False, "weight": None, "bias": None}
    del find(root, "Linear")[0].fields["bias"]
    check_outputs(tmp_path / "x.t7", root)


def test_wrappers(tmp_path: Path) -> None:
    root = tree()
    gpus = Obj("nn.DataParallelTable", {"modules": [root], "dimension": 1}, version=3, before=([1, 2],))
    gpus.fields["impl"] = Obj("nn.DataParallelTable.Threads", {"dpt": gpus})
    old = Obj("nn.DataParallelTable", {"modules": [root, tree()], "dimension": 1})
    for value in (gpus, old, Obj("nn.Sequential", {"modules": [gpus]}), {"epoch": 3, "net": gpus}, [root, "x"]):
        check_outputs(tmp_path / "y.t7", root)
        model, _ = load_checkpoint(save(tmp_path / "x.t7", value))
        with torch.inference_mode():
            assert torch.equal(model(image()), load_checkpoint(tmp_path / "y.t7")[0](image()))


def test_one_network_of_several(tmp_path: Path) -> None:
    roots = {"model": tree(), "best": tree(), "criterion": Obj("nn.CrossEntropyCriterion", {})}
    read_checkpoint(save(tmp_path / "x.t7", roots))
    with pytest.raises(CheckpointError, match=r"one under the key 'model'; found 'a': a nn\.Sequential.*'b'"):
        read_checkpoint(save(tmp_path / "x.t7", {"a": tree(), "b": tree()}))


def test_copies_in_memory_efficient_layers(tmp_path: Path) -> None:
    """A deep copy in Lua writes net1 and net2 twice, as other tables with the same tensors or with copies of them."""

    def copy(value: Any, tensors: bool) -> Any:
        if isinstance(value, Obj):
            return Obj(value.class_name, copy(value.fields, tensors), value.version)
        if isinstance(value, Ten) and tensors and value.size:
            return Ten(value.kind, value.size, value.stride, 0, Sto(value.kind, value.storage.values.copy()))
        if isinstance(value, dict):
            return {key: copy(item, tensors) for key, item in value.items()}
        return [copy(item, tensors) for item in value] if isinstance(value, list) else value

    for tensors in (False, True):
        root = tree(BC, layout="custom")
        for layer in find(root, "DenseConnectLayerCustom"):
            layer.fields["modules"] = copy(layer.fields["modules"], tensors)
            layer.fields["saved_bn_running_mean"] = Ten("Float", (1,), (1,), 0, Sto("Float", np.zeros(1, "f4")))
        save(tmp_path / "x.t7", root)
        dropped = load_checkpoint(tmp_path / "x.t7")[1].dropped
        assert dropped == {"running copies": 5} | ({"copies of weights": 50} if tensors else {})
    layer.fields["modules"][1].fields["modules"][0].fields["weight"].storage.values[0] += 1
    with pytest.raises(CheckpointError, match="net1 and net2 differ from its modules"):
        read_checkpoint(save(tmp_path / "x.t7", root))


def change(name: str, index: int = 0, **fields: Any) -> Callable[[Obj], None]:
    return lambda root: find(root, name)[index].fields.update(fields)


def insert(module: str, place: int = -1, **fields: Any) -> Callable[[Obj], None]:
    def apply(root: Obj) -> None:
        modules = root.fields["modules"]
        modules.insert(len(modules) if place == -1 else place, Obj(module, fields))

    return apply


def remove(name: str, index: int = 0) -> Callable[[Obj], None]:
    """Takes a module out of whatever holds it."""

    def apply(root: Obj) -> None:
        module = find(root, name)[index]
        holder = next(box for box in find(root, "") if module in box.fields.get("modules", []))
        holder.fields["modules"].remove(module)

    return apply


def rename(name: str, new: str, index: int = 0) -> Callable[[Obj], None]:
    return lambda root: setattr(find(root, name)[index], "class_name", new)


REFUSED: list[tuple[Callable[[Obj], None], str]] = [
    (insert("nn.LogSoftMax"), r"module 13 \(nn\.LogSoftMax.*turns logits into something else"),
    (insert("cudnn.SoftMax"), "turns logits into something else"),
    (insert("nn.MulConstant", 0, constant_scalar=2), "of a class that no DenseNet has"),
    (insert("nn.Dropout", 11, p=0.5, v2=True), "expected an nn.Linear; found module 12"),
    (insert("cudnn.ReLU", 1, inplace=True), "expected a dense layer of block 1"),
    (remove("ReLU"), "expected a ReLU after features.denseblock1.denselayer1.norm1"),
    (remove("ReLU", -1), "expected a ReLU after features.norm5"),
    (remove("Linear"), "expected an nn.Linear; found the end of the network"),
    (remove("AveragePooling"), "expected a pooling of 2x2"),
    (remove("AveragePooling", -1), "expected an average pooling of the whole map"),
    (remove("Identity"), "joins branches of 6 layers"),
    (rename("ReLU", "nn.ELU"), "of a class that no DenseNet has"),
    (rename("ReLU", "cudnn.ClippedReLU"), "of a class that no DenseNet has"),
    (rename("AveragePooling", "nn.SpatialMaxPooling", -1), "expected an average pooling of the whole map"),
    (rename("AveragePooling", "nn.SpatialAveragePooling"), "its divide is nothing"),
    (change("AveragePooling", ceil_mode=True), "its ceil_mode is True"),
    (change("AveragePooling", kW=3, kH=3), "expected a pooling of 2x2"),
    (change("AveragePooling", dW=1, dH=1), "expected a pooling of 2x2"),
    (change("AveragePooling", kW=3), "expected its kW, 3: a square window"),
    (change("AveragePooling", padW=1, padH=1), "expected a pooling of 2x2"),
    (change("AveragePooling", -1, padW=1, padH=1), "expected an average pooling of the whole map"),
    (change("AveragePooling", mode="CUDNN_POOLING_MAX"), "its mode is 'CUDNN_POOLING_MAX'"),
    (change("SpatialConvolution", dW=2, dH=2), "a first convolution of 7x7"),
    (change("SpatialConvolution", 1, padW=1, padH=1), "expected a convolution of 8 channels, 1x1"),
    (change("SpatialConvolution", 2, padW=0, padH=0), "expected a convolution of 16 channels, 3x3"),
    (change("SpatialConvolution", 2, groups=2), "its groups is 2.0"),
    (change("SpatialConvolution", 2, dilationW=2), "its dilationW is 2.0"),
    (change("SpatialConvolution", padW=0.5), "its padW is 0.5; expected a whole number"),
    (change("SpatialConvolution", nInputPlane=float("nan")), "its nInputPlane is nan"),
    (change("SpatialConvolution", kH=None), "its kH is nothing"),
    (change("SpatialConvolution", nOutputPlane=9), r"its weight has the size \(8, 3, 3, 3\)"),
    (change("SpatialConvolution", padding=3), "a first convolution of 7x7"),
    (change("SpatialConvolution", weight=3), "its weight is 3.0"),
    (change("SpatialConvolution", weight=Ten("Long", (1,), (1,), 0, Sto("Long", np.ones(1, "i8")))), "floating-point"),
    (change("BatchNormalization", eps=0), "its eps is 0.0; expected more than 0"),
    (change("BatchNormalization", eps=float("inf")), "its eps is inf"),
    (change("BatchNormalization", running_var=None), "its running_var is nothing"),
    (change("BatchNormalization", weight=None), "its affine is True"),
    (change("BatchNormalization", affine=False), "its affine is False"),
    (change("BatchNormalization", mode="CUDNN_BATCHNORM_PER_ACTIVATION"), "its mode is"),
    (change("ReLU", threshold=1), "its threshold is 1.0"),
    (change("ReLU", val=-1), "its val is -1.0"),
    (change("ReLU", mode="CUDNN_ACTIVATION_TANH"), "its mode is"),
    (change("nn.Concat", dimension=3), "its dimension is 3.0"),
    (change("nn.Sequential", modules={1: 5}), "expected a list of one module or more, without gaps"),
    (change("nn.Sequential", 1, modules=[]), "expected a list of one module or more"),
    (change("Reshape", size=Sto("Long", np.array([2, 5]))), r"gives each image the size \[2, 5\]"),
    (change("Reshape", size=Sto("Long", np.array([9]))), "expected a reshaping to 10 numbers"),
    (change("Reshape", batchMode=False), "its batchMode is False"),
    (change("Linear", weight=Ten("Float", (3, 9), (9, 1), 0, Sto("Float", np.zeros(27, "f4")))), "of 10 features"),
]


@pytest.mark.parametrize(("falsify", "message"), REFUSED, ids=range(len(REFUSED)))
def test_another_function_is_refused(tmp_path: Path, falsify: Callable[[Obj], None], message: str) -> None:
    root = tree()
    falsify(root)
    with pytest.raises((CheckpointError, FormatError), match=message):
        read_checkpoint(save(tmp_path / "x.t7", root))


def test_other_refusals(tmp_path: Path) -> None:
    def refuse(root: Obj, message: str) -> None:
        with pytest.raises((CheckpointError, FormatError), match=message):
            load_checkpoint(save(tmp_path / "x.t7", root))

    root = tree(layout="custom")
    remove("JoinTable")(root)
    refuse(root, "expected an nn.JoinTable after block 1")
    root = tree(layout="custom")
    change("JoinTable", dimension=3)(root)
    refuse(root, "its dimension is 3.0")
    root = tree(layout="custom")
    change("JoinTable", nInputDims=3)(root)
    refuse(root, "its nInputDims is 3.0")
    root = tree(dropout=0.5)
    change("Dropout", p=1.0)(root)
    refuse(root, "its p is 1.0")
    root = tree(dropout=0.5)
    change("Dropout", stochastic_inference=True)(root)
    refuse(root, "its stochastic_inference is True")
    root = tree(BC)
    find(root, "AveragePooling")[0].class_name = "nn.SpatialMaxPooling"
    refuse(root, "its poolings are not alike")
    root = tree()
    find(root, "BatchNormalization")[0].fields["running_var"].storage.values[:] = -1
    refuse(root, "expected running variances above -eps")
    root = tree()
    find(root, "SpatialConvolution")[1].fields["weight"].storage.values[3] = np.nan
    refuse(root, "not finite")
    gpus = Obj("nn.DataParallelTable", {"modules": [tree()], "dimension": 2}, version=3, before=([1],))
    refuse(gpus, "its dimension is 2.0")


def test_weights_that_no_float32_can_hold(tmp_path: Path) -> None:
    root = tree(kind="Double")
    find(root, "Linear")[0].fields["weight"].storage.values[0] = 1e300
    with pytest.raises(CheckpointError, match=r"classifier\.weight holds numbers that are not finite"):
        load_checkpoint(save(tmp_path / "x.t7", root))


def test_shared_modules_cannot_multiply(tmp_path: Path) -> None:
    """S0 in S1 twice, S1 in S2 twice, ...: 2^40 layers in a file of a few kilobytes; and a chain that is too long."""
    root = tree()
    for _ in range(40):
        root = Obj("nn.Sequential", {"modules": [root, root]})
    with pytest.raises(CheckpointError, match="used twice"):
        read_checkpoint(save(tmp_path / "x.t7", root))
    chain = [Obj("nn.Sequential", {"modules": [Obj("nn.Identity", {})]})]
    for _ in range(5000):
        chain.append(Obj("nn.Sequential", {"modules": [chain[-1]]}))
    # innermost first, each refers back to the one before: the modules are nested deep, in a file that isn't
    flat = {"parts": {str(i): part.fields for i, part in enumerate(chain)}, "model": chain[-1]}
    with pytest.raises(CheckpointError, match="nested too deep"):
        read_checkpoint(save(tmp_path / "x.t7", flat))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))])
def test_mutated_files_end_in_an_answer(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    originals = [(FIXTURES / "00_tiny_bc_d10_k4.t7").read_bytes(), dumps(tree(flat=True), ascii=True)]
    for i in range(100):
        data = bytearray(originals[i % 2])
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            data[place] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, int(rng.integers(256))])
        if rng.random() < 0.1:
            del data[int(rng.integers(len(data))) :]
        (tmp_path / "x.t7").write_bytes(data)
        with contextlib.suppress(DensezooError):
            load_checkpoint(tmp_path / "x.t7")

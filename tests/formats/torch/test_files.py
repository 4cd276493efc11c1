"""torch.save's files: state_dicts alone, in training scripts' wrappers, beside objects; what is refused."""

from __future__ import annotations

import argparse
import collections
import datetime
import os
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from examples import same
from mmengine.config import ConfigDict
from torch import nn
from torch.optim.swa_utils import AveragedModel

from densezoo.errors import FormatError
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.torch.files import _count_tensors

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(7)}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", ["model.pth", "model.pth.tar", "model"])
def test_pytorch(tmp_path: Path, zipped: bool, name: str) -> None:
    torch.save(OrderedDict(TENSORS), tmp_path / name, _use_new_zipfile_serialization=zipped)
    checkpoint = read_checkpoint(tmp_path / name)
    assert checkpoint.format == "pytorch"
    assert same(checkpoint.tensors, TENSORS)
    assert not checkpoint.dropped


@pytest.mark.parametrize("entry", ["state_dict", "state_dict_ema", "model", "model_state_dict", "net"])
def test_wrappers(tmp_path: Path, entry: str) -> None:
    moments = {"state": {0: {"momentum_buffer": torch.zeros(3)}, 1: {"momentum_buffer": torch.zeros(2)}}}
    wrapper = {"epoch": 3, "optimizer": moments, "args": argparse.Namespace(lr=0.1), entry: TENSORS}
    torch.save(wrapper, tmp_path / "last.pth.tar")
    checkpoint = read_checkpoint(tmp_path / "last.pth.tar")
    assert same(checkpoint.tensors, TENSORS)
    assert checkpoint.dropped == {"optimizer": 2}
    assert checkpoint.metadata == {"entry": entry}


def test_averaged_weights_come_first(tmp_path: Path) -> None:
    averaged = {name: tensor + 1 for name, tensor in TENSORS.items()}
    torch.save({"state_dict": TENSORS, "state_dict_ema": averaged}, tmp_path / "last.pth.tar")
    checkpoint = read_checkpoint(tmp_path / "last.pth.tar")
    assert same(checkpoint.tensors, averaged)
    assert checkpoint.dropped == {"state_dict": 2}


KERNELS = {"conv.weight": torch.ones(2, 2, 3, 3)}


@pytest.mark.parametrize(
    ("content", "entry", "others"),
    [
        ({"generator": KERNELS, "epoch": 3}, "generator", ""),
        ({"checkpoint": {"model": KERNELS, "step": 3}, "loss": {"weight": torch.ones(5)}}, "checkpoint.model", ""),
        ({"model": {}, "model_ema": KERNELS}, "model_ema", ""),
        ({"state_dict": KERNELS, "discriminator": {"a": torch.ones(1, 1, 1, 1)}}, "state_dict", "discriminator"),
    ],
)
def test_the_weights_are_found_in_a_wrapper(
    tmp_path: Path, content: dict[str, object], entry: str, others: str
) -> None:
    torch.save(content, tmp_path / "model.pth")
    checkpoint = read_checkpoint(tmp_path / "model.pth")
    assert checkpoint.tensors.keys() == KERNELS.keys()
    assert checkpoint.metadata == {"entry": entry}
    assert checkpoint.hints == ((f"the weights are the entry {entry}; not used: {others}",) if others else ())


AVERAGED = "model_ema state_dict_ema ema ema_model ema_state_dict model_ema_state swa swa_state_dict averaged_model"


def averaged_beside_raw() -> dict[str, tuple[dict[str, object], str]]:
    """{what: (the file's content, the entry of the averaged weights)}; averages are ones, raw weights zeros."""
    raw, average = nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3)
    nn.init.zeros_(raw.weight)
    nn.init.ones_(average.weight)
    wrapped = AveragedModel(average)
    cases = {name: ({"model": raw.state_dict(), name: wrapped.state_dict()}, name) for name in AVERAGED.split()}
    kept = {"module": average.state_dict(), "updates": 3}
    mmengine = {"meta": {"mmengine_version": "0.10.7"}, "state_dict": average.state_dict()}
    return {
        **{name: (dict(content), entry) for name, (content, entry) in cases.items()},
        "an entry in an entry": ({"model": raw.state_dict(), "ema": kept}, "ema.module"),
        "an entry of an entry": ({"state": {"model": raw.state_dict(), "ema": average.state_dict()}}, "state.ema"),
        "MMEngine's": ({**mmengine, "ema_state_dict": AveragedModel(raw).state_dict()}, "state_dict"),
    }


@pytest.mark.parametrize("case", averaged_beside_raw())
def test_averaged_weights_come_before_raw_ones(tmp_path: Path, case: str) -> None:
    content, entry = averaged_beside_raw()[case]
    torch.save(content, tmp_path / "model.pth")
    checkpoint = read_checkpoint(tmp_path / "model.pth")
    (kernel,) = (tensor for tensor in checkpoint.tensors.values() if tensor.ndim == 4)
    assert set(kernel.flatten().tolist()) == {1}
    assert checkpoint.hints[0].startswith(f"the weights are the averaged ones, the entry {entry}; not used: ")


def test_averaged_weights_without_names_are_asked_for(tmp_path: Path) -> None:
    """torch_ema keeps a list of them."""
    ema = {"decay": 0.999, "shadow_params": list(KERNELS.values())}
    torch.save({"model": KERNELS, "ema": ema}, tmp_path / "model.pth")
    with pytest.raises(FormatError, match="its averaged weights, the entry ema, are no state_dict"):
        read_checkpoint(tmp_path / "model.pth")
    torch.save({"model": KERNELS, "ema": {"decay": 0.999}, "swa": None}, tmp_path / "model.pth")
    assert same(read_checkpoint(tmp_path / "model.pth").tensors, KERNELS)


@pytest.mark.parametrize("names", [("state_dict", "model"), ("student", "teacher"), ("model_ema", "swa")])
def test_which_of_two_networks_is_meant_is_not_guessed(tmp_path: Path, names: tuple[str, str]) -> None:
    torch.save(dict.fromkeys(names, KERNELS), tmp_path / "model.pth")
    with pytest.raises(FormatError, match=f"holds several networks, {', '.join(names)}, and nothing says which"):
        read_checkpoint(tmp_path / "model.pth")


def test_numpy_arrays_are_a_state_dict(tmp_path: Path) -> None:
    torch.save({name: tensor.numpy() for name, tensor in TENSORS.items()}, tmp_path / "model.pth")
    assert same(read_checkpoint(tmp_path / "model.pth").tensors, TENSORS)


def test_what_is_no_tensor_is_named(tmp_path: Path) -> None:
    torch.save({**TENSORS, "note": "text"}, tmp_path / "model.pth")
    with pytest.raises(FormatError, match="it has tensors, and beside them note, which are none"):
        read_checkpoint(tmp_path / "model.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_objects_beside_the_weights_are_data(tmp_path: Path, zipped: bool) -> None:
    """A training script stores its own: they are neither made nor needed."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    beside = {
        "optimizer": optimizer,
        "scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 3),
        "loss": torch.nn.CrossEntropyLoss(),
        "config": ConfigDict(lr=0.1),
        "when": (datetime.datetime.now(datetime.timezone.utc), datetime.date(2017, 1, 1)),
        "class": torch.nn.Module,
        "more": (range(3), frozenset([1]), collections.deque([1]), argparse.Namespace(a=1)),
    }
    torch.save({"state_dict": TENSORS, **beside}, tmp_path / "m.pth", _use_new_zipfile_serialization=zipped)
    assert same(read_checkpoint(tmp_path / "m.pth").tensors, TENSORS)


class Hostile:
    """Unpickling it would create a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_never_executed(tmp_path: Path, zipped: bool) -> None:
    hostile = {"state_dict": TENSORS, "epoch": Hostile(str(tmp_path / "ran"))}
    torch.save(hostile, tmp_path / "hostile.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(FormatError, match="holds a pickled posix.mkdir"):
        read_checkpoint(tmp_path / "hostile.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: {"model": model, "epoch": 3}])
def test_a_whole_model_is_refused_by_the_name_of_its_class(
    tmp_path: Path, zipped: bool, wrap: Callable[[object], object]
) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    torch.save(wrap(model), tmp_path / "model.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(
        FormatError, match=r"holds a pickled torch.nn.modules.container.Sequential.*torch.save\(model.sta"
    ):
        read_checkpoint(tmp_path / "model.pth")


def test_a_pickle_that_is_whole_is_not_called_broken(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.pth", "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x02" + b"]" * 400_000 + b".")
    with pytest.raises(FormatError, match="holds a pickle of more than 300,000 operations; expected") as caught:
        read_checkpoint(tmp_path / "m.pth")
    assert "anew" not in str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_shapes_alone_are_read_without_numbers(tmp_path: Path, zipped: bool) -> None:
    tensors = {"large": torch.ones(40, 40), "view": torch.ones(80, 80)[::2, :40], "small": torch.ones(3)}
    torch.save(tensors, tmp_path / "m.pth", _use_new_zipfile_serialization=zipped)
    found = read_checkpoint(tmp_path / "m.pth", shapes_only=True).tensors
    assert {name: tensor.shape for name, tensor in found.items()} == {n: tensor.shape for n, tensor in tensors.items()}
    assert [name for name, tensor in found.items() if tensor.is_meta] == ["large", "view"]


@pytest.mark.parametrize("content", [{}, {"epoch": 3, "weights": TENSORS}, [1, 2], {"state_dict": {"a": 1}}, 3])
def test_no_state_dict_inside(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "model.pth")
    with pytest.raises(
        FormatError, match="expected a state_dict, alone or as one of state_dict_ema, model_ema, state_dict, model_s"
    ):
        read_checkpoint(tmp_path / "model.pth")


def test_deep_nesting_is_counted_without_recursion(tmp_path: Path) -> None:
    nested: list[object] = [torch.zeros(1)]
    for _ in range(3000):
        nested = [nested]
    nested[0] = [nested[0], nested]  # and a cycle
    assert _count_tensors(nested) == 1

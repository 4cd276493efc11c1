"""Scripted and traced modules: the forward's code decides what is loaded, and it is never run."""

from __future__ import annotations

import contextlib
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch_networks import (
    IMAGES,
    OTHER,
    SAME,
    SMALL,
    ByACounter,
    ByTheImage,
    ChangesAWeight,
    WithSoftmax,
    script,
    trace,
)
from torchvision.models import DenseNet

import densezoo
from densezoo.errors import DensezooError, FormatError
from densezoo.formats.detect import read_checkpoint


@pytest.mark.parametrize("save", [script, trace])
@pytest.mark.parametrize("made", SAME)
def test_the_function_is_the_file_s(tmp_path: Path, made: str, save: Callable[[Path, nn.Module], Path]) -> None:
    original = SAME[made]()  # in training mode, as a careless script leaves it
    model, report = densezoo.load_checkpoint(save(tmp_path / "model.pt", original))
    assert report.exact
    assert report.format == "torchscript"
    with torch.inference_mode():
        torch.testing.assert_close(model(IMAGES), original.eval()(IMAGES), rtol=0, atol=0)


@pytest.mark.parametrize("save", [script, trace])
def test_an_appended_softmax_is_left_out(tmp_path: Path, save: Callable[[Path, nn.Module], Path]) -> None:
    original = WithSoftmax()
    model, _ = densezoo.load_checkpoint(save(tmp_path / "model.pt", original))
    with torch.inference_mode():
        torch.testing.assert_close(model(IMAGES).softmax(1), original.eval()(IMAGES), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("made", OTHER)
def test_another_function_is_refused(tmp_path: Path, made: str) -> None:
    """Traced: whatever Python did is in the code."""
    make, message = OTHER[made]
    with pytest.raises(DensezooError, match=message) as caught:
        densezoo.load_checkpoint(trace(tmp_path / "model.pt", make()))
    assert str(tmp_path / "model.pt") in str(caught.value)


pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")

SCRIPTED = {
    **{made: (make, message) for made, (make, message) in OTHER.items() if isinstance(make, type)},
    "a weight that is changed": (ChangesAWeight, "mul_ changes a weight"),
    "a choice by the image": (ByTheImage, "a choice that depends on the image"),
    "a choice by a counter": (ByACounter, "a choice that depends on the image"),
}


@pytest.mark.parametrize("made", SCRIPTED)
def test_another_scripted_function_is_refused(tmp_path: Path, made: str) -> None:
    make, message = SCRIPTED[made]
    with pytest.raises(DensezooError, match=message):
        densezoo.load_checkpoint(script(tmp_path / "model.pt", make()))


def test_traced_in_training_mode_is_refused(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trace(tmp_path / "model.pt", DenseNet(**SMALL), training=True)
    with pytest.raises(DensezooError, match="add_ changes a weight, as in training mode"):
        densezoo.load_checkpoint(tmp_path / "model.pt")


def test_a_frozen_module_is_refused(tmp_path: Path) -> None:
    torch.jit.freeze(torch.jit.script(DenseNet(**SMALL).eval())).save(str(tmp_path / "model.pt"))
    with pytest.raises(FormatError, match="without a readable state"):
        densezoo.load_checkpoint(tmp_path / "model.pt")


WORDS = re.compile(r"\w+|[^\w\s]|\s+")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_code_loads_or_is_refused(scripted: Path, tmp_path: Path, data: st.DataObject) -> None:
    """Words of the code put elsewhere, doubled or left out."""
    with zipfile.ZipFile(scripted) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = data.draw(st.sampled_from([name for name in members if name.endswith(".py")]))
    words = WORDS.findall(members[name].decode())
    for _ in range(data.draw(st.integers(1, 4))):
        start, length, to = (data.draw(st.integers(0, limit)) for limit in (len(words), 30, len(words)))
        moved = words[start : start + length]
        if data.draw(st.booleans()):
            del words[start : start + length]
        words[to:to] = moved
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        for member, content in members.items():
            archive.writestr(member, "".join(words) if member == name else content)
    with contextlib.suppress(DensezooError):
        read_checkpoint(tmp_path / "model.pt")


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return script(tmp_path_factory.mktemp("scripted") / "model.pt", DenseNet(**SMALL))


class _Nothing(torch.nn.Module):
    """What LibTorch makes of an archive of named tensors: a module without a method."""


@pytest.mark.parametrize("separator", [".", "|"])
def test_an_archive_of_tensors_that_rust_wrote(tmp_path: Path, separator: str) -> None:
    """tch-rs's .ot: LibTorch's OutputArchive::write(name, tensor), tensor by tensor, and nothing that is run."""
    network = DenseNet(**SMALL)
    state = {name: tensor for name, tensor in network.state_dict().items() if "num_batches" not in name}
    archive = torch.jit.script(_Nothing())._c
    for name, tensor in state.items():
        archive._register_attribute(name.replace(".", separator), torch._C.TensorType.get(), tensor)
    archive.save(str(tmp_path / "densenet121.ot"))
    model, report = densezoo.load_checkpoint(tmp_path / "densenet121.ot")
    assert report.source == "torchvision"
    assert "computation: not in the file; taken as this source publishes it" in report.hints
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in state.items())

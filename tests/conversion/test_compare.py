"""A file's tensors held against those of the network: what is missing, unexpected or of another shape."""

from __future__ import annotations

from typing import Any

import torch
from densenet_sources import SMALL, as_source, checkpoint, state_dict
from densenet_sources import refusal as refused
from hypothesis import given, settings
from hypothesis import strategies as st

from densezoo.conversion.compare import Matches, match_tensors, refusal
from densezoo.conversion.match import convert, recognise
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.keymaps import KEYMAPS
from densezoo.families.densenet.network import DenseNet
from densezoo.types import ConversionReport


def test_counters_may_be_absent_and_are_then_zero() -> None:
    tensors = as_source(KEYMAPS[1], SMALL, counters=False)
    _, converted, report = convert(checkpoint(tensors))
    assert report.exact
    assert converted["features.norm0.num_batches_tracked"].item() == 0
    DenseNet(SMALL).load_state_dict(converted)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_one_tensor_less_is_refused_by_name(data: st.DataObject) -> None:
    tensors = state_dict(SMALL)
    name = data.draw(st.sampled_from([name for name in tensors if "num_batches" not in name]))
    del tensors[name]
    message = refused(tensors, SMALL)
    assert f"missing (1): {name}" in message or "not a DenseNet" in message
    refused(tensors)


def test_one_tensor_more_is_refused_by_name() -> None:
    message = refused({**state_dict(SMALL), "features.extra.weight": torch.zeros(1)})
    assert "unexpected (1): features.extra.weight" in message


def test_another_shape_is_refused_with_both() -> None:
    tensors = state_dict(SMALL) | {"features.transition1.conv.weight": torch.zeros(15, 32, 1, 1)}
    assert "mismatched (1): features.transition1.conv.weight: expected (16, 32, 1, 1), found (15, 32, 1, 1)" in refused(
        tensors, SMALL
    )


def test_another_architecture_is_refused_and_named() -> None:
    message = refused(state_dict(SMALL), DenseNetArchitecture(8, (2, 4), 16, num_classes=5))
    assert "block_config is (2, 3), expected (2, 4)" in message
    assert "missing (10): features.denseblock2.denselayer4.norm1.weight" in message
    assert "mismatched (" in message


def compared(tensors: dict[str, torch.Tensor], **facts: Any) -> tuple[Matches, ConversionReport]:
    """The tensors against those of SMALL."""
    file = checkpoint(tensors, **facts)
    return match_tensors(file, recognise(file), SMALL)


def test_every_tensor_is_in_its_place_and_counted_once() -> None:
    tensors = state_dict(SMALL)
    matches, report = compared(tensors)
    assert {name: keys for name, (_, _, keys) in matches.items()} == {name: (name,) for name in tensors}
    assert (report.exact, report.matched, report.dropped, report.source) == (True, len(tensors), {}, "torchvision")


def test_a_counter_is_one_whole_number_or_left_out() -> None:
    name = "features.norm0.num_batches_tracked"
    for wrong in (torch.tensor(3.0), torch.tensor([3]), torch.tensor(True)):
        matches, report = compared({**state_dict(SMALL), name: wrong})
        assert name not in matches
        assert report.dropped == {"counter": 1}
        assert report.exact


def test_what_is_left_over_is_named_or_dropped_by_its_kind() -> None:
    extra = {"moments.a": torch.zeros(1), "moments.b": torch.zeros(1), "lr": torch.zeros(()), "a.b": torch.zeros(1)}
    _, report = compared(state_dict(SMALL) | extra, dropped={"gradients": 2})
    assert report.unexpected == ("a.b",)
    assert report.dropped == {"gradients": 2, "optimiser moment": 2, "training counter": 1}


def test_the_refusal_lists_at_most_five_of_each_and_says_what_the_tensors_show() -> None:
    tensors = {name: tensor for name, tensor in state_dict(SMALL).items() if "denselayer2" not in name}
    file = checkpoint(tensors, hints=("computation: from a file beside",))
    naming = recognise(file)
    lines = refusal(file, naming, match_tensors(file, naming, SMALL)[1], naming.family.infer(naming)).splitlines()
    assert lines == [
        "model.pth: does not hold the expected network; nothing was loaded",
        "  by its tensors (torchvision names): block_config is (1, 1), expected (2, 3)",
        "  missing (20): features.denseblock1.denselayer2.norm1.weight, features.denseblock1.denselayer2.norm1.bias, "
        "features.denseblock1.denselayer2.norm1.running_mean, features.denseblock1.denselayer2.norm1.running_var, "
        "features.denseblock1.denselayer2.conv1.weight, ...",
        "  computation: from a file beside",
        "  use the config of that architecture, or a complete checkpoint of this one",
    ]

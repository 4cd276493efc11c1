"""The sizes and places of maps."""

from __future__ import annotations

import numpy as np
from examples import randomise_statistics

from densezoo.backends.native.library import Floats, engine
from densezoo.backends.native.lowering import lower
from densezoo.backends.native.program import VECTOR, Sizing, Weights
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.computation import computation
from densezoo.families.densenet.network import DenseNet
from densezoo.types.computation import channels

ARCH = DenseNetArchitecture(5, (2, 1, 3), 9, num_classes=7)


def tensors() -> dict[str, Floats]:
    network = randomise_statistics(DenseNet(ARCH))
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def sizing(size: tuple[int, int], images: int) -> Sizing:
    nodes = computation(ARCH)
    return Sizing(nodes, lower(nodes, channels(nodes)), Weights(tensors(), 8), engine(256), size, images)


def normalisation() -> dict[str, Floats]:
    zeros = np.zeros((3, 256), np.float32)
    return {"table": zeros, "mean": zeros, "deviation": zeros}


def test_maps_that_are_used_at_the_same_time_don_t_overlap() -> None:
    program = sizing((45, 52), 3).program(normalisation(), False)
    for step in list(program.program.steps[: program.program.count])[1:]:
        first, second = step.input, step.output
        if first.image_stride == second.image_stride and first.stride == second.stride:
            continue  # two slices of one block
        places = [(map.offset, map.offset + 3 * map.image_stride) for map in (first, second)]
        assert places[0][1] <= places[1][0] or places[1][1] <= places[0][0]
        assert max(stop for _, stop in places) <= program.program.scratch


def test_whole_vectors_fit_behind_every_slice() -> None:
    program = sizing((45, 52), 3).program(normalisation(), False)
    for step, lowered in zip(program.program.steps[: program.program.count], program.steps):
        if lowered.kind.name != "LOAD":
            assert step.output.stride >= -(-step.output.channels // VECTOR) * VECTOR
            assert step.output.stride % VECTOR == 0
            assert step.output.stride % 256 != 0


def test_weights_are_packed_once_for_all_sizes() -> None:
    held = tensors()
    weights, nodes = Weights(held, 8), computation(ARCH)
    lowered = lower(nodes, channels(nodes))
    step = next(step for step in lowered.steps if step.node.op == "linear")
    assert weights.matrix(step)[0] is weights.matrix(step)[0]
    packed = weights.matrix(step)[0].reshape(-1, 8)
    assert np.array_equal(packed[:, :7], held["classifier.weight"].T)


def test_an_image_lies_in_the_zeros_of_its_convolution() -> None:
    step = sizing((45, 52), 1).program(normalisation(), False).program.steps[0]
    assert (step.output.height, step.output.width) == (51, 57)
    assert list(step.pads) == [3, 3]
    assert (step.input.height, step.input.width) == (45, 52)

"""Paddle's pickles of arrays, as its versions write them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from densezoo.errors import FormatError
from densezoo.formats.detect import read_checkpoint
from densezoo.types import Checkpoint

W = np.arange(6, dtype=np.float32).reshape(2, 3)


class Tensor:
    """What paddle.save makes of a tensor in a nested object: ``eval("data", {"data": array})``."""

    def __init__(self, data: np.ndarray[Any, Any], text: str = "data") -> None:
        self.data, self.text = data, text

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (self.text, {"data": self.data})


class Named:
    """The same with Paddle's internal name: ``tuple(("linear_0.w_0", array))``."""

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (("linear_0.w_0", W),)


class Number:
    """The same of a number, which no tuple is made of."""

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (3,)


class Layer:
    """A whole layer, pickled with its class's name."""


class Call:
    """A call of a function that is in no table."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.getcwd, ()


def read(path: Path, content: object, protocol: int = 4) -> Checkpoint:
    path.write_bytes(pickle.dumps(content, protocol))
    return read_checkpoint(path)


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("stored", [W, Tensor(W), Named()], ids=["array", "eval", "tuple"])
def test_every_way_to_store_a_tensor(tmp_path: Path, stored: object, protocol: int) -> None:
    names = {"StructuredToParameterName@@": {"w": "linear_0.w_0"}}
    checkpoint = read(tmp_path / "m.pdparams", {"w": stored, "b": W.T, **names}, protocol)
    assert (checkpoint.format, list(checkpoint.tensors)) == ("paddle", ["w", "b"])
    assert [tensor.tolist() for tensor in checkpoint.tensors.values()] == [W.tolist(), W.T.tolist()]


def test_a_tuple_of_no_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="builtins.tuple of something that is no list"):
        read(tmp_path / "m.pdparams", {"w": Number()})


def test_an_expression_is_never_evaluated(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="builtins.eval of something that is no Paddle tensor"):
        read(tmp_path / "m.pdparams", {"w": Tensor(W, f"__import__('os').mkdir({str(tmp_path / 'ran')!r})")})
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"w": W, "epoch": 3, "note": "x"},
            "expected a pickled {name: numpy array}, .* found other things under epoch, ",
        ),
        ({"w": W, 3: W}, "found no arrays"),
        ({}, "found no arrays"),
        ([W], "found no arrays"),
        ({"w": W, "layer": Layer()}, "found other things under layer"),
    ],
)
def test_what_is_no_dictionary_of_arrays(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read(tmp_path / "m.pdparams", content)


def test_what_only_running_code_could_restore_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="holds a pickled posix.getcwd, .*; ask for a file of arrays or a PyTorch st"):
        read(tmp_path / "m.pdparams", {"w": W, "folder": Call()})


def test_a_file_that_ends_early_is_called_truncated(tmp_path: Path) -> None:
    path = tmp_path / "m.pdparams"
    path.write_bytes(pickle.dumps({"w": W}, 4)[:-9])
    with pytest.raises(FormatError, match=r"a pickle by its first bytes, but broken or truncated at its [\d,]+ bytes"):
        read_checkpoint(path)

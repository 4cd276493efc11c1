"""Storages and tensors of torch's files, as data."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oversized import zipped

from densezoo.errors import FormatError
from densezoo.formats.binary import in_memory
from densezoo.formats.containers.pickle_values import Symbol
from densezoo.formats.containers.zip import Archive
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.torch.tensors import (
    Deferred,
    OtherNumbers,
    Storages,
    TorchStorage,
    byteorder,
    harmless,
    persistent,
)


@pytest.mark.parametrize("kind", ["QInt8Storage", "ComplexFloatStorage", "UntypedStorage"])
@pytest.mark.filterwarnings("ignore:.*quantiz")
def test_other_numbers_are_no_broken_file(tmp_path: Path, kind: str) -> None:
    tensor = {
        "QInt8Storage": lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
        "ComplexFloatStorage": lambda: torch.ones(2, dtype=torch.complex64),
        "UntypedStorage": lambda: torch.ones(2).to(torch.float8_e4m3fn),
    }[kind]()
    torch.save({"w": tensor}, tmp_path / "m.pth")
    with pytest.raises(FormatError, match=f"{kind}: quantised, complex or 8-bit numbers; expected floating point$"):
        read_checkpoint(tmp_path / "m.pth")


def storages(numbers: list[float]) -> Storages:
    """A file of one storage, "0"."""
    data = in_memory(Path("m"), io.BytesIO(np.array(numbers, "<f4").tobytes()))
    return Storages({"0": data}.__getitem__, "<")


@given(st.integers(0, 12), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), max_size=3), st.integers(0, 4))
def test_views_are_torch_s_or_refused(numel: int, sides: list[tuple[int, int]], offset: int) -> None:
    """A view is refused exactly where it reaches out of its storage, or has more numbers than that."""
    size, stride = tuple(side for side, _ in sides), tuple(step for _, step in sides)
    stored = TorchStorage("f4", "0", numel)
    flat = torch.arange(float(numel))
    count = int(np.prod(size, dtype=int))
    last = offset + sum((side - 1) * step for side, step in sides)
    deferred = Deferred(stored, offset, size, stride)
    if count > numel or (count and last >= numel):
        with pytest.raises(FormatError, match=r"^w: (a tensor of size|reaches number)"):
            deferred.build(storages(flat.tolist()), "w")
    elif count:
        assert deferred.build(storages(flat.tolist()), "w").equal(torch.as_strided(flat, size, stride, offset))
    else:
        assert deferred.build(storages(flat.tolist()), "w").numel() == 0


@pytest.mark.parametrize(
    ("deferred", "message"),
    [
        (Deferred(TorchStorage("f4", "0", 4), -1, (2,), (1,)), "a tensor of size"),
        (Deferred(TorchStorage("f4", "0", 4), 0, (2,), (-1,)), "a tensor of size"),
        (Deferred(TorchStorage("f4", "0", 4), 0, (2, 2), (1,)), "a tensor of size"),
        (Deferred(TorchStorage("f4", "0", 4, offset=3), 0, (2,), (1,)), "reaches number 4 of a storage of 4"),
        (Deferred(TorchStorage("f4", "0", 9), 0, (2,), (1,)), "the storage 0 should take 36 bytes"),
        (Deferred(TorchStorage("f4", "0", 4), 0, (1,) * 17, (1,) * 17), "a tensor of 17 sides; expected at most 16"),
    ],
)
def test_tensors_that_lie(deferred: Deferred, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        deferred.build(storages([1, 2, 3, 4]), "w")


def test_a_storage_of_several_tensors_is_read_once() -> None:
    file = storages([1, 2, 3, 4])
    first, second = (Deferred(TorchStorage("f4", "0", 4), at, (2,), (1,)).build(file, "w") for at in (0, 2))
    assert first.untyped_storage().data_ptr() == second.untyped_storage().data_ptr()
    assert (first.tolist(), second.tolist()) == ([1, 2], [3, 4])


FLOATS = Symbol("torch.FloatStorage")


def test_persistent_ids_of_every_version() -> None:
    assert persistent(("storage", FLOATS, "0", "cpu", 4)) == TorchStorage("f4", "0", 4)
    assert persistent(("storage", FLOATS, "0", "cuda:0", 4, None)) == TorchStorage("f4", "0", 4)
    assert persistent(("storage", FLOATS, "0", "cpu", 4, ("1", 2, 2))) == TorchStorage("f4", "0", 4, offset=2)
    assert persistent(("storage", Symbol("torch.cuda.BFloat16Storage"), "0", "", 1)) == TorchStorage("bfloat16", "0", 1)
    assert persistent(("module", FLOATS, "net.py", "class Net")) == FLOATS
    for key in (("storage", FLOATS, "0", "cpu", -1), ("storage", FLOATS, 0, "cpu", 4), ("storage",), 3, None):
        with pytest.raises((ValueError, OtherNumbers)):
            persistent(key)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("torch.float32", True), ("torch.FloatStorage", True), ("torch._utils._rebuild_qtensor", True),
        ("torch.load", False), ("torch.hub.load", False), ("torch.float32.x", False), ("os.system", False),
    ],
)  # fmt: skip
def test_what_may_stand_as_data(name: str, expected: bool) -> None:
    assert harmless(name) is expected


@pytest.mark.parametrize(("order", "expected"), [(b"big", ">"), (b"little", "<"), (None, "<"), (b"big\n", "<")])
def test_the_order_of_bytes_is_the_archive_s(order: bytes | None, expected: str) -> None:
    members = {"m/data.pkl": b""} | ({} if order is None else {"m/byteorder": order})
    assert byteorder(Archive(in_memory(Path("m"), io.BytesIO(zipped(members)))), "m") == expected

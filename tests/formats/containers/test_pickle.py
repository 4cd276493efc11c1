"""Pickles as data: no program in one is run."""

from __future__ import annotations

import io

import pytest

from densezoo.errors import FormatError
from densezoo.formats.containers import pickle as pickled
from densezoo.formats.containers.pickle_values import Inert, Symbol


@pytest.mark.parametrize(
    "program",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"c__builtin__\neval\n(S'1'\ntR.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85\x81\x8c\x00\x85R.",
        b"]" * 700_000 + b".",
        b"r\xff\xff\xff\x7f.",
        b"\x8e" + b"\xff" * 8,
        b"B\xff\xff\xff\x7f",
        b"(((((((.",
        b"",
    ],
)
def test_pickles_that_are_programs(program: bytes) -> None:
    with pytest.raises(FormatError):
        pickled.load(io.BytesIO(program))


def test_a_name_alone_and_an_object_without_a_call_are_data() -> None:
    assert pickled.load(io.BytesIO(b"cos\nsystem\n.")) == Symbol("os.system")
    thing = pickled.load(io.BytesIO(b"\x80\x02cx\nThing\n)\x81}X\x01\x00\x00\x00aK\x01sb."))
    assert thing == Inert("x.Thing", (), {"a": 1})


def test_deep_keys_don_t_overrun_the_stack() -> None:
    deep = b"})" + b"\x85" * 200_000 + b"K\x01s."
    assert pickled.load(io.BytesIO(deep)) == {"key 0": 1}

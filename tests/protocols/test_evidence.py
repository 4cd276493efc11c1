"""Each protocol says what it is held to; test_publishers_pixels.py and test_protocol_exactness.py hold it."""

from __future__ import annotations

import pytest

from densezoo.protocols import PROTOCOLS
from densezoo.protocols.evidence import EVIDENCE, Evidence


def test_every_protocol_has_its_evidence() -> None:
    assert set(EVIDENCE) == set(PROTOCOLS)


@pytest.mark.parametrize("name", EVIDENCE)
def test_code_was_run_exactly_where_a_difference_is_stated(name: str) -> None:
    evidence = EVIDENCE[name]
    run = evidence.kind in (Evidence.Kind.LIVE, Evidence.Kind.RECORDED)
    assert (evidence.largest is not None) == run
    assert evidence.held_to
    assert not evidence.held_to.endswith(".")

"""The digests of all images, made once, and what becomes of an image that is another one afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from examples import example_images
from small_run import BROKEN, Evaluate, small_run

from densezoo.data.contents import content_digests
from densezoo.data.datasets import open_dataset
from densezoo.errors import DatasetError
from densezoo.evaluation import distributed, hashing


@pytest.fixture
def evaluate(tmp_path: Path) -> Evaluate:
    return small_run(tmp_path)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("how", ["replaced", "removed"])
def test_an_image_that_changes_in_mid_run_stops_it(
    evaluate: Evaluate, tmp_path: Path, workers: int, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:

    def hash_then_change(*arguments: Any) -> object:
        digests = content_digests(*arguments)
        if how == "replaced":  # by another of the same size
            content = bytearray((tmp_path / "val" / BROKEN).read_bytes())
            content[60] ^= 1
            (tmp_path / "val" / BROKEN).write_bytes(content)
        else:
            (tmp_path / "val" / BROKEN).unlink()
        return digests

    monkeypatch.setattr(hashing, "content_digests", hash_then_change)
    with pytest.raises(DatasetError, match=f"{BROKEN}: (is no longer what it was|can't be read any more)"):
        evaluate(workers=workers, on_error="count-wrong")
    assert not list(tmp_path.glob("out/*/*.json"))


def test_it_is_every_image_s_own_digest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = open_dataset("digits", None)
    known = hashing.hashed(images, show_progress=True)
    assert capsys.readouterr().err == ""  # under two seconds
    assert [bytes(digest) for digest in known.digests] == [images.digest(i) for i in range(len(images))]
    assert known.fingerprint() == images.fingerprint()


def test_what_is_hashed_already_is_not_hashed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    known = example_images(3)
    monkeypatch.setattr(hashing, "content_digests", None)  # to be called no more
    assert hashing.hashed(known) is known


def test_of_several_processes_the_main_one_hashes_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    images, known = example_images(3).images, example_images(3).digests
    offered: list[object] = []

    def gather(digests: object) -> list[object]:
        offered.append(digests)
        return [known, None]

    monkeypatch.setattr(hashing, "content_digests", None)
    monkeypatch.setattr(distributed, "is_main", lambda: False)
    monkeypatch.setattr(distributed, "gather", gather)
    assert hashing.hashed(images).fingerprint() == example_images(3).fingerprint()
    assert offered == [None]

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from densezoo.data.contents import VerifiedImages, content_digests, verified
from densezoo.data.images import ArrayImages
from densezoo.data.split import FILE, check_split, draw_split, part_of, store_split, stored_split
from densezoo.errors import DatasetError


def images(number: int = 40, changed: int | None = None, sets: bool = False) -> VerifiedImages:
    """30 of class 0, the others of class 1 to 3; with ``sets`` of as many labels."""
    pixels = np.arange(number, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 2), np.uint8)
    if changed is not None:
        pixels[changed] += 100
    labels = [0 if i < 30 else 1 + i % 3 for i in range(number)]
    label_sets = [(label, 4) if i % 2 else (label,) for i, label in enumerate(labels)] if sets else None
    own = ArrayImages("here", [f"{i}.png" for i in range(number)], labels, pixels, label_sets=label_sets)
    return verified(own, content_digests(own))


def test_every_class_gives_its_share() -> None:
    whole = images()
    split = draw_split(whole, seed=0, held_out=0.2)
    assert split.train.keys() | split.test.keys() == set(whole.ids)
    assert split.train.keys().isdisjoint(split.test)
    test = part_of(whole, split.test)
    assert Counter(test.labels) == {0: 6, 1: 1, 2: 1, 3: 1}  # 30, 4, 3 and 3 images
    assert [np.asarray(test.read(i)).flat[0] for i in range(9)] == [int(name.split(".")[0]) for name in test.ids]


def test_half_an_image_is_rounded() -> None:
    whole = images()
    test = part_of(whole, draw_split(whole, seed=0, held_out=0.25).test)
    assert Counter(test.labels) == {0: 8, 1: 1, 2: 1, 3: 1}  # of 30, 4, 3 and 3: 7.5, 1, 0.75 and 0.75


def test_a_split_of_another_share_or_seed_is_refused() -> None:
    whole = images()
    split = draw_split(whole, 0, 0.2)
    check_split(Path("s"), split, whole, 0, 0.2)
    for seed, held_out in ((1, 0.2), (0, 0.25)):
        with pytest.raises(DatasetError, match=f"a share of 0.2, and the config asks for {seed} and {held_out}; "):
            check_split(Path("s"), split, whole, seed, held_out)


def test_the_draw_follows_from_the_seed() -> None:
    first = draw_split(images(), 0, 0.2)
    assert first == draw_split(images(), 0, 0.2)
    assert first.test.keys() != draw_split(images(), 1, 0.2).test.keys()
    assert sorted(first.test)[:3] == ["11.png", "17.png", "18.png"], "another version draws another split"


def test_images_of_several_labels() -> None:
    whole = images(sets=True)
    split = draw_split(whole, 0, 0.2)
    assert len(split.test) == 8
    held_out = part_of(whole, split.test)
    assert held_out.label_sets is not None
    assert all(labels == whole.label_sets[whole.ids.index(name)]  # type: ignore[index]
               for name, labels in zip(held_out.ids, held_out.label_sets))  # fmt: skip
    assert Counter(len(labels) for labels in held_out.label_sets) == {1: 4, 2: 4}


def test_a_class_of_one_image() -> None:
    with pytest.raises(DatasetError, match="here: 30.png: the only image of its class"):
        draw_split(images(31), 0, 0.2)


def test_a_stored_split_is_the_same(tmp_path: Path) -> None:
    path, split = tmp_path / "new" / FILE, draw_split(images(), 0, 0.2)
    assert stored_split(path) is None
    store_split(path, split)
    assert stored_split(path) == split
    check_split(path, split, images(), 0, 0.2)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"seed": 0}', '{"seed": 0, "held_out": 0.2, "train": {}, "test": {"a": 1}}']
)
def test_a_file_that_is_no_split(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(DatasetError, match=FILE):
        stored_split(tmp_path / FILE)


@pytest.mark.parametrize(
    ("now", "seed", "message"),
    [
        (images(41), 0, r"here: 40.png was added since .*split.json was drawn: .* remove that file"),
        (images(39), 0, "39.png is gone"),
        (images(changed=7), 0, "7.png has another content"),
        (images(), 1, "was drawn with seed 0 and a share of 0.2, and the config asks for 1 and 0.2"),
    ],
)
def test_a_folder_that_has_changed(now: VerifiedImages, seed: int, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        check_split(Path(FILE), draw_split(images(), 0, 0.2), now, seed, 0.2)

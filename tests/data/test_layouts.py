"""Datasets in the layouts in which they are published, written small; and what is said of a wrong one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from small_imagenet import (
    BY_LABEL,
    EXPECTED,
    IMAGES,
    LABELS,
    NAMES,
    WNIDS,
    class_folders,
    facts,
    flat,
    image,
    tarred,
    write,
)
from unusual_images import noise

from densezoo.data import imagenet
from densezoo.data.datasets import DATASETS, find_subsets, open_dataset
from densezoo.errors import DatasetError

LISTS = {
    "val.txt": "".join(f"{name} {label}\n" for name, label in reversed(list(zip(NAMES, LABELS)))),
    "imagenet_2012_validation_synset_labels.txt": "".join(f"{BY_LABEL[label]}\n" for label in LABELS),
    "LOC_val_solution.csv": "ImageId,PredictionString\n"
    + "".join(
        f"{Path(n).stem},{BY_LABEL[label]} 1 2 3 4 {BY_LABEL[label]} 5 6 7 8\n" for n, label in zip(NAMES, LABELS)
    ),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("folder", ["", "val"])
def test_a_flat_folder_with_a_list(tmp_path: Path, name: str, folder: str) -> None:
    flat(tmp_path / folder)
    write(tmp_path / name, LISTS[name])
    images = open_dataset("imagenet1k", tmp_path)
    assert facts(images) == EXPECTED
    assert images.fingerprint() == open_dataset("imagenet1k", class_folders(tmp_path / "other")).fingerprint()


def test_a_list_with_labels_alone(tmp_path: Path) -> None:
    write(tmp_path / "labels", "".join(f"{label}\n" for label in LABELS))
    assert facts(open_dataset("imagenet1k", flat(tmp_path / "x"), labels=tmp_path / "labels")) == EXPECTED


@pytest.mark.parametrize("where", ["", "ILSVRC2012_devkit_t12/data"])
def test_the_devkit_s_ground_truth_has_numbers_of_its_own(tmp_path: Path, where: str) -> None:
    number = {0: 4, 1: 2, 2: 1, 999: 3}  # neither alphabetical nor a label plus one
    flat(tmp_path / "val")
    truth = write(
        tmp_path / where / "ILSVRC2012_validation_ground_truth.txt", "".join(f"{number[label]}\n" for label in LABELS)
    )
    with pytest.raises(DatasetError, match=r"the devkit's class numbers, whose order only .*meta\.mat tells"):
        open_dataset("imagenet1k", tmp_path)
    synsets = np.array(
        [(number[label], wnid) for label, wnid in BY_LABEL.items()], dtype=[("ILSVRC2012_ID", "O"), ("WNID", "O")]
    )
    scipy.io.savemat(truth.parent / "meta.mat", {"synsets": synsets})
    assert facts(open_dataset("imagenet1k", tmp_path)) == EXPECTED


def test_the_tar_of_the_validation_set_as_it_is(tmp_path: Path) -> None:
    path = tarred(tmp_path / "ILSVRC2012_img_val.tar", dict(zip(NAMES, IMAGES)))
    write(tmp_path / "val.txt", LISTS["val.txt"])
    from_tar = open_dataset("imagenet1k", path)
    assert facts(from_tar) == EXPECTED
    assert facts(open_dataset("imagenet1k", tmp_path)) == EXPECTED  # and the folder that it lies in
    assert from_tar.fingerprint() == open_dataset("imagenet1k", class_folders(tmp_path / "x")).fingerprint()
    assert "ILSVRC2012_img_val.tar" in from_tar.where(0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no list of labels; .* found no line"),
        ("a b c\n", r"no list of labels; .* found 'a b c'"),
        (LISTS["val.txt"].replace(" 999", " 1000"), r"val.txt, line 5: label 1000 is out of range; expected 0 to 999"),
        (
            "".join(f"{name} {label + 1}\n" for name, label in zip(NAMES, LABELS)),
            "label 1000 is out of range.*no label is 0, so these labels seem to count from 1",
        ),
        (LISTS["LOC_val_solution.csv"].replace("n15075141", "n99999999"), "line 1: 'n99999999' is no class of this"),
        (LISTS["val.txt"].replace("00000003", "00000033"), "first image that is not there: ILSVRC2012_val_00000033"),
        (LISTS["val.txt"].splitlines()[0], "1 lines for 5 images; first image that is not in the list: ILSVRC.*0001"),
        ("0\n" * 6, "6 lines for 5 images"),
        (LISTS["val.txt"] * 2, "10 lines for 5 images"),
    ],
)
def test_a_list_that_does_not_fit(tmp_path: Path, text: str, reason: str) -> None:
    flat(tmp_path / "val")
    path = write(tmp_path / "val.txt", text)
    with pytest.raises(DatasetError, match=reason):
        open_dataset("imagenet1k", tmp_path)
    with pytest.raises(DatasetError, match=str(path)):
        open_dataset("imagenet1k", tmp_path / "val", labels=path)


def test_one_folder_and_no_list(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"all images lie in one folder, so nothing tells their classes.*--labels"):
        open_dataset("imagenet1k", flat(tmp_path))
    with pytest.raises(DatasetError, match="all images lie in one folder"):
        open_dataset("cifar10", flat(tmp_path / "x" / "test"))


def test_a_train_folder_given_for_the_validation_set(tmp_path: Path) -> None:
    for wnid in WNIDS:
        write(tmp_path / "images" / wnid / f"{wnid}_10026.JPEG", IMAGES[0])
        write(tmp_path / "train" / wnid / "x.JPEG", IMAGES[0])
    with pytest.raises(DatasetError, match=r"these are training images \(n01440764/n01440764_10026\.JPEG\)"):
        open_dataset("imagenet1k", tmp_path / "images")
    assert len(open_dataset("imagenet1k", tmp_path / "images", "train")) == 4
    with pytest.raises(DatasetError, match="is the training set by its name"):
        open_dataset("imagenet1k", tmp_path / "train")


def test_folders_that_count_from_one(tmp_path: Path) -> None:
    for label in range(1, 11):
        write(tmp_path / str(label) / "x.png", IMAGES[0])
    with pytest.raises(DatasetError, match="10: label 10 is out of range; expected 0 to 9: no label is 0, so these"):
        open_dataset("cifar10", tmp_path)


def test_a_folder_that_is_no_class_among_those_that_are(tmp_path: Path) -> None:
    class_folders(tmp_path)
    write(tmp_path / "n01440764 (copy)" / "x.JPEG", IMAGES[0])
    with pytest.raises(DatasetError, match=r"found 5: .*; not among the known names: n01440764 \(copy\)"):
        open_dataset("imagenet1k", tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [("map.txt", "dog\ncat\nant\n"), ("map.txt", "ant 2\ncat 1\ndog 0\n"), ("map.json", '{"dog":0,"cat":1,"ant":2}')],
)
def test_any_folder_of_classes_with_a_class_map(tmp_path: Path, name: str, text: str) -> None:
    for folder in ("ant", "cat", "dog"):
        write(tmp_path / "val" / folder / "x.png", IMAGES[0])
    path = write(tmp_path / name, text)
    assert list(open_dataset("imagefolder", tmp_path, class_map=path).labels) == [2, 1, 0]
    assert list(open_dataset("imagefolder", tmp_path).labels) == [0, 1, 2]
    write(tmp_path / "val" / "emu" / "x.png", IMAGES[0])
    with pytest.raises(DatasetError, match="not among the known names: emu"):
        open_dataset("imagefolder", tmp_path, class_map=path)


@pytest.mark.parametrize(
    ("name", "text"), [("m.txt", "a x\n"), ("m.json", "[1]"), ("m.json", '{"a": "0"}'), ("m.txt", "a\na\n")]
)
def test_what_is_no_class_map(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path / "images" / "a" / "x.png", IMAGES[0])
    with pytest.raises(DatasetError, match=f"{name}: no class map"):
        open_dataset("imagefolder", tmp_path / "images", class_map=write(tmp_path / name, text))


def test_imagenet_v2_s_folders_are_numbers(tmp_path: Path) -> None:
    for label in (10, 9, 2, 999):
        write(tmp_path / str(label) / "0af3f1b55de791c4144e2fb6d7dfe96dfc22d3fc.jpeg", IMAGES[0])
    images = open_dataset("imagenetv2-matched-frequency", tmp_path)
    assert sorted(images.labels) == [2, 9, 10, 999]
    assert all(name.split("/")[0] == str(label) for name, label in zip(images.ids, images.labels))


def test_imagenet_sketch(tmp_path: Path) -> None:
    write(tmp_path / "sketch" / "n15075141" / "sketch_0.JPEG", IMAGES[0])
    assert list(open_dataset("imagenet-sketch", tmp_path / "sketch").labels) == [999]


def test_imagenet_a_and_r_let_only_their_classes_compete(tmp_path: Path) -> None:
    for wnid in ("n01498041", "n01531178"):  # stingray, goldfinch: labels 6 and 11
        write(tmp_path / wnid / "0.000116_digital clock _ digital clock_0.865662.jpg", IMAGES[0])
    adversarial = open_dataset("imagenet-a", tmp_path)
    assert list(adversarial.labels) == [6, 11]
    assert adversarial.classes is not None
    assert len(adversarial.classes) == 200
    assert adversarial.classes[:3] == (6, 11, 13)
    rendition = open_dataset("imagenet-r", class_folders(tmp_path / "r"))
    assert len(rendition.classes or ()) == 200
    assert set(rendition.labels) == {1, 2}  # goldfish, great white shark; a tench and a toilet tissue are not in it


def test_the_clean_subsets_are_chosen_from_the_validation_set(tmp_path: Path) -> None:
    whole = open_dataset("imagenet1k", class_folders(tmp_path))
    clean = open_dataset("imagenet-r-clean", tmp_path)
    assert list(clean.labels) == [1, 2]
    for i, name in enumerate(clean.ids):
        j = list(whole.ids).index(name)
        assert (clean.read(i), clean.where(i), clean.source(i)) == (whole.read(j), whole.where(j), whole.source(j))
    with pytest.raises(DatasetError, match="no image is of one of the 200 classes of imagenet_a"):
        open_dataset("imagenet-a-clean", tmp_path)


def test_imagenet_real_without_a_labelled_image(tmp_path: Path) -> None:
    from timm.data.real_labels import RealLabelsImagenet

    known = RealLabelsImagenet([""] * 50_000).real_labels  # type: ignore[no-untyped-call]
    write(tmp_path / "n01440764" / next(name for name, answers in known.items() if not answers), IMAGES[0])
    with pytest.raises(DatasetError, match="none of the 1 images has a label in ReaL"):
        open_dataset("imagenet-real", tmp_path)


def test_imagenet_real_has_sets_of_labels(tmp_path: Path) -> None:
    """timm's file: image 1 may be 58 alone, image 2 two things, and some images nothing."""
    from timm.data.real_labels import RealLabelsImagenet

    known = RealLabelsImagenet([""] * 50_000).real_labels  # type: ignore[no-untyped-call]
    by_size = {size: next(n for n, answers in known.items() if len(answers) == size) for size in (0, 1, 2, 3)}
    for name in by_size.values():
        write(tmp_path / "n01440764" / name, IMAGES[0])
    images = open_dataset("imagenet-real", tmp_path)
    expected = sorted((name, tuple(sorted(known[name]))) for size, name in by_size.items() if size)
    assert [(Path(name).name, answers) for name, answers in zip(images.ids, images.label_sets or ())] == expected
    assert [answers[0] for _, answers in expected] == list(images.labels)
    assert images.fingerprint() != open_dataset("imagenet1k", tmp_path).fingerprint()
    write(tmp_path / "n01440764" / "mine.JPEG", IMAGES[0])
    with pytest.raises(DatasetError, match=r"mine\.JPEG: ReaL's labels go by the validation set's own file names"):
        open_dataset("imagenet-real", tmp_path)


def corrupted(root: Path, *subsets: str) -> Path:
    for subset in subsets:
        write(root / subset / "n01443537" / NAMES[0], image(len(subset)))
    return root


SETS = ["gaussian_noise/1", "gaussian_noise/3", "fog/1", "gaussian_blur/5"]  # in the paper's order, the extra one last


@pytest.mark.parametrize(
    ("folder", "found"),
    [("", SETS), ("gaussian_noise", SETS[:2]), ("gaussian_noise/3", SETS[1:2]), ("fog/../fog/1", SETS[2:3])],
)
def test_imagenet_c_s_sets_are_known_by_their_folders(tmp_path: Path, folder: str, found: list[str]) -> None:
    corrupted(tmp_path / "c", *SETS[::-1])
    assert list(find_subsets("imagenet-c", tmp_path / "c" / folder)) == found
    for subset in found:
        images = open_dataset("imagenet-c", tmp_path / "c" / folder, subset=subset)
        alone = open_dataset("imagenet-c", tmp_path / "c" / subset)
        assert (images.subset, facts(images)) == (subset, facts(alone))
        assert facts(images) == [(f"n01443537/{NAMES[0]}", 1, image(len(subset)))]
        assert images.fingerprint() == alone.fingerprint()


def test_imagenet_c_as_its_authors_pack_it(tmp_path: Path) -> None:
    """Groups of corruptions, unpacked or not: noise.tar holds gaussian_noise/1/..., gaussian_noise/2/..., ..."""
    corrupted(tmp_path / "unpacked" / "noise", "gaussian_noise/3", "shot_noise/3")
    corrupted(tmp_path / "unpacked" / "weather", "fog/3")
    members = {f"./{name}/3/n01443537/{NAMES[0]}": image(len(f"{name}/3")) for name in ("gaussian_noise", "shot_noise")}
    tarred(tmp_path / "packed" / "noise.tar", {**members, "./README": b"no image"})
    tarred(tmp_path / "packed" / "weather.tar", {f"fog/3/n01443537/{NAMES[0]}": image(len("fog/3"))})
    tarred(tmp_path / "single" / "fog" / "3.tar", {f"n01443537/{NAMES[0]}": image(len("fog/3"))})
    sets = ("gaussian_noise/3", "shot_noise/3", "fog/3")
    expected = {subset: open_dataset("imagenet-c", tmp_path / "unpacked", subset=subset) for subset in sets}
    for root in ("unpacked", "packed", "packed/noise.tar", "single/fog/3.tar"):
        for subset in find_subsets("imagenet-c", tmp_path / root):
            assert subset is not None
            images = open_dataset("imagenet-c", tmp_path / root, subset=subset)
            assert (images.subset, facts(images)) == (subset, facts(expected[subset]))
            assert images.fingerprint() == expected[subset].fingerprint()
    assert find_subsets("imagenet-c", tmp_path / "packed") == sets


def test_no_mixture_and_no_unknown_set_of_imagenet_c_opens(tmp_path: Path) -> None:
    corrupted(tmp_path / "c", *SETS)
    (tmp_path / "link").symlink_to(tmp_path / "c" / "fog" / "1")
    assert open_dataset("imagenet-c", tmp_path / "link").subset == "fog/1"
    with pytest.raises(DatasetError, match=r"expected one set, found 4: gaussian_noise/1, .* choose by --subset"):
        open_dataset("imagenet-c", tmp_path / "c")
    with pytest.raises(DatasetError, match="expected fog/2, found 1: fog/1"):
        open_dataset("imagenet-c", tmp_path / "c" / "fog", subset="fog/2")
    with pytest.raises(DatasetError, match="imagenet1k is one set, found --subset fog/1; leave it away"):
        open_dataset("imagenet1k", tmp_path / "c" / "fog" / "1", subset="fog/1")
    with pytest.raises(DatasetError, match="found no corruption's name; .* Name the folders so, or evaluate other im"):
        open_dataset("imagenet-c", corrupted(tmp_path / "mine", "", "deep/er"))
    with pytest.raises(DatasetError, match=r"foog/3: expected .*, found the corruption 'foog'; did you mean 'fog'\?"):
        open_dataset("imagenet-c", corrupted(tmp_path / "slip", "fog/2", "foog/3"), subset="fog/2")
    with pytest.raises(DatasetError, match="fog/6: expected .*, found the severity '6'; known: 1, 2, 3, 4, 5"):
        open_dataset("imagenet-c", corrupted(tmp_path / "more", "fog/2", "fog/6"), subset="fog/2")
    tar = tarred(tmp_path / "plain.tar", {f"n01443537/{NAMES[0]}": IMAGES[0]})
    with pytest.raises(DatasetError, match=r"plain.tar: n01443537/\S+: expected .*, found the corruption"):
        open_dataset("imagenet-c", tar)


@pytest.mark.parametrize(("name", "folder", "file", "extra"), [
    ("cifar10", "cifar-10-batches-bin", "test_batch.bin", 0), ("cifar100", "cifar-100-binary", "test.bin", 1),
])  # fmt: skip
def test_cifar_binary(tmp_path: Path, name: str, folder: str, file: str, extra: int) -> None:
    pixels = noise(32, 32 * 3, 3).reshape(3, 32, 32, 3)
    records = b"".join(
        bytes([7] * extra + [label]) + picture.transpose(2, 0, 1).tobytes() for label, picture in zip((3, 0, 9), pixels)
    )
    path = write(tmp_path / folder / file, records)
    for root in (tmp_path, tmp_path / folder):
        images = open_dataset(name, root)
        assert list(images.labels) == [3, 0, 9]
        assert all(np.array_equal(images.read(i), pixels[i]) for i in range(3))
    path.write_bytes(records[:-1])
    with pytest.raises(DatasetError, match=r"expected records of 3,07\d bytes, found 9,2\d\d bytes: truncated"):
        open_dataset(name, tmp_path)
    with pytest.raises(DatasetError, match=r"can't be read \(No such file"):
        open_dataset(name, tmp_path, "train")


def test_cifar_10_1(tmp_path: Path) -> None:
    pixels = {"v4": noise(32, 96, seed=1).reshape(3, 32, 32, 3), "v6": noise(32, 64).reshape(2, 32, 32, 3)}
    for version, labels in (("v4", [1, 2, 3]), ("v6", [9, 0])):
        np.save(tmp_path / f"cifar10.1_{version}_data.npy", pixels[version])
        np.save(tmp_path / f"cifar10.1_{version}_labels.npy", np.array(labels, np.int32))
        images = open_dataset("cifar10.1", tmp_path)
        assert (list(images.labels), images.ids[0]) == (labels, f"{version}/00000")
        assert np.array_equal(images.read(1), pixels[version][1])
    np.save(tmp_path / "cifar10.1_v6_labels.npy", np.array([1, 2, 3]))
    with pytest.raises(DatasetError, match=r"expected uint8 \(3, 32, 32, 3\).*found uint8 \(2, 32, 32, 3\)"):
        open_dataset("cifar10.1", tmp_path)
    np.save(tmp_path / "cifar10.1_v6_labels.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(DatasetError, match="allow_pickle=False"):
        open_dataset("cifar10.1", tmp_path)


def test_every_published_dataset_has_its_name() -> None:
    names = {
        "imagenet1k", "imagenet-real", "imagenetv2-matched-frequency", "imagenet-sketch", "imagenet-a", "imagenet-r",
        "imagenet-a-clean", "imagenet-r-clean", "cifar10", "cifar100", "cifar10.1", "svhn", "digits",
    }  # fmt: skip
    assert names <= set(DATASETS)
    assert len(imagenet.wnids()) == 1000
    assert json.dumps(imagenet.wnids()[0]) == '"n01440764"'

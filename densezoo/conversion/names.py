"""Which source's names a file uses, and what architecture its tensors have."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from densezoo.families.densenet.architecture import DenseNetArchitecture, Stem
from densezoo.families.densenet.keymaps import KEYMAPS, LONE_MATRIX, numbers
from densezoo.families.densenet.layers import kind_of, transition_channels
from densezoo.families.operations import OPERATIONS
from densezoo.types import Checkpoint, KeyMap

MAX_LAYERS = 1000  # of all blocks: there is a DenseNet-1001, with two convolutions a layer
_BOUNDARY = re.compile(r"(.*[./_:])?")  # a wrapper's prefix ends where a name can
Place = tuple[str, int, int]  # role, block, layer


@dataclass(frozen=True)
class Naming:
    """A key table as one file uses it: with the file's wrapper prefix, and its choice among alternative names.

    Args:
        ranks: {role, block, layer: rank among the layers of its kind}, for sources that number and don't name.
    """

    keymap: KeyMap
    prefix: str
    tensors: Mapping[str, Tensor]
    ranks: Mapping[Place, int] = field(default_factory=dict)

    def keys(self, role: str, param: str, block: int = 0, layer: int = 0) -> tuple[str, ...] | None:
        """The file's names for the tensors that a parameter is made of; None where the source has no such role."""
        made = self.keymap.params[kind_of(role)].get(param)
        if role not in self.keymap.templates or made is None:
            return None
        filled = numbers(block, layer, self.ranks.get((role, block, layer), -1))
        templates = self.keymap.templates[role]
        stems = [f"{self.prefix}{template.format(**filled)}" for template in templates if template != LONE_MATRIX]
        if LONE_MATRIX in templates:
            stems += self._lone_matrix(self.keymap.params[kind_of(role)]["weight"].ends[0])
        names = [tuple(f"{stem}{end}" for end in made.ends) for stem in stems]
        return next((keys for keys in names if keys[0] in self.tensors), names[0])

    def _lone_matrix(self, end: str) -> list[str]:
        """The one layer of the file whose weight is a matrix, whatever its name; none if there are several."""
        found = [name for name, tensor in self.tensors.items() if tensor.ndim == 2 and name.endswith(end)]
        return [found[0].removesuffix(end)] if len(found) == 1 else []

    def shape(self, role: str, block: int = 0, layer: int = 0) -> tuple[int, ...] | None:
        """The shape that a role's weight will have; None where the file lacks it or it can't be made."""
        keys = self.keys(role, "weight", block, layer)
        if keys is None or any(key not in self.tensors for key in keys):
            return None
        return self.made_shape(role, "weight", keys)

    def made_shape(self, role: str, param: str, keys: tuple[str, ...]) -> tuple[int, ...] | None:
        """The shape of what the source's operation makes of these tensors; None where it can't."""
        try:
            made = self.make(role, param, [self.tensors[key].to("meta") for key in keys])
        except (RuntimeError, IndexError, ValueError):
            return None
        return tuple(made.shape)

    def make(self, role: str, param: str, tensors: list[Tensor]) -> Tensor:
        """A parameter from the source's tensors."""
        return OPERATIONS[self.keymap.params[kind_of(role)][param].op](*tensors)


def candidates(checkpoint: Checkpoint) -> list[Naming]:
    """Every table under which the file has a dense layer, with the prefix that the file puts before its names."""
    found = []
    for keymap in KEYMAPS:
        facts = checkpoint.metadata.items()
        naming = _naming(keymap, checkpoint.tensors) if keymap.requires.items() <= facts else None
        if naming is not None:
            found.append(naming)
    return found


def _naming(keymap: KeyMap, tensors: Mapping[str, Tensor]) -> Naming | None:
    if "{rank}" in keymap.templates["layer.conv1"][0]:
        ranks = _ranks(Naming(keymap, "", tensors))
        return Naming(keymap, "", tensors, ranks) if ("layer.conv1", 1, 1) in ranks else None
    keys = Naming(keymap, "", tensors).keys("layer.conv1", "weight", 1, 1)
    assert keys is not None, "every table names the first layer"
    ends = [name for name in tensors if name.endswith(keys[0]) and _BOUNDARY.fullmatch(name.removesuffix(keys[0]))]
    return Naming(keymap, min(ends, key=len).removesuffix(keys[0]), tensors) if ends else None


def _ranks(naming: Naming) -> dict[Place, int]:
    """Which layer of its kind each role is, read off the sequence of the convolutions' kernels."""
    shapes = []
    for rank in itertools.count():
        shape = dataclasses.replace(naming, ranks={("stem.conv0", 0, 0): rank}).shape("stem.conv0")
        if shape is None or len(shape) != 4:
            break
        shapes.append(shape)
    places = list(_places([shape[2] for shape in shapes], _deep(shapes)))
    norms = [(role.replace(".conv", ".norm"), block, layer) for role, block, layer in places]
    if _count(naming, "final.norm") == len(places):  # one norm less: a stem without
        norms = norms[1:]
    last = max((block for _, block, _ in places), default=0)
    ranks = {place: rank for rank, place in enumerate(places)}
    ranks |= {place: rank for rank, place in enumerate([*norms, ("final.norm", last, 0)])}
    return ranks | {("classifier", 0, 0): 0}


def _count(naming: Naming, role: str) -> int:
    """How many layers of this role's kind the file numbers."""
    counted = (dataclasses.replace(naming, ranks={(role, 0, 0): rank}).shape(role) for rank in itertools.count())
    return sum(1 for _ in itertools.takewhile(lambda shape: shape is not None, counted))


def _deep(shapes: Sequence[tuple[int, ...]]) -> bool:
    """Whether the stem is three 3x3 convolutions; a dense layer's would see the features before it, too."""
    return len(shapes) > 3 and [shape[2] for shape in shapes[:4]] == [3, 3, 3, 1] and shapes[1][0] == shapes[0][0]


def _places(sides: list[int], deep: bool) -> Iterator[Place]:
    """The role of every convolution, from the sides of their kernels: 1, 3 is a bottleneck, a lone 1 a transition."""
    stem = 3 if deep else 1
    yield from ((f"stem.conv{i}", 0, 0) for i in range(min(stem, len(sides))))
    block, layer, i = 1, 0, stem
    while i < len(sides):
        if sides[i : i + 2] == [1, 3] and (layer or sides[i + 2 : i + 3] != [3]) and not _plain(sides, stem):
            layer += 1
            yield from ((f"layer.conv{1 + j}", block, layer) for j in range(2))
            i += 2
        elif sides[i] == 1:
            yield "transition.conv", block, 0
            block, layer, i = block + 1, 0, i + 1
        else:
            layer += 1
            yield "layer.conv1", block, layer
            i += 1


def _plain(sides: list[int], stem: int) -> bool:
    """Whether the dense layers have no bottleneck: the first one is then a 3x3 convolution."""
    return sides[stem : stem + 1] == [3]


def infer_architecture(naming: Naming) -> DenseNetArchitecture:
    """What the tensors' names and shapes say; a field whose tensor isn't there keeps its default."""
    block_config = tuple(_depths(naming))
    default = DenseNetArchitecture(block_config=block_config or (1,))
    stem = _stem(naming)
    stem_conv = naming.shape("stem.conv2" if stem == "deep" else "stem.conv0")
    conv1, conv2 = (naming.shape(role, 1, 1) for role in ("layer.conv1", "layer.conv2"))
    growth_rate = _side(conv2 or conv1, 0, default.growth_rate)
    return dataclasses.replace(
        default,
        stem=stem,
        growth_rate=growth_rate,
        num_init_features=_side(stem_conv, 0, default.num_init_features),
        bn_size=max(1, _side(conv1, 0, growth_rate) // growth_rate) if conv2 else None,
        reduction=_reduction(naming, len(block_config)),
        in_chans=_side(naming.shape("stem.conv0"), 1, default.in_chans),
        num_classes=_side(naming.shape("classifier"), 0, default.num_classes),
    )


def _stem(naming: Naming) -> Stem:
    if naming.shape("stem.conv2"):
        return "deep"
    if not naming.shape("stem.norm0"):
        return "cifar"
    return "cifar_norm" if _side(naming.shape("stem.conv0"), 2, 7) == 3 else "imagenet"


def _depths(naming: Naming) -> Iterator[int]:
    """Consecutive layers that the file names, of each block in turn."""
    left = MAX_LAYERS
    for block in itertools.count(1):
        there = (naming.shape("layer.conv1", block, layer) is not None for layer in range(1, left + 1))
        depth = sum(1 for _ in itertools.takewhile(bool, there))
        if depth == 0:
            return
        left -= depth
        yield depth


def _side(shape: tuple[int, ...] | None, axis: int, default: int) -> int:
    return shape[axis] if shape is not None and len(shape) > axis and shape[axis] > 0 else default


def _reduction(naming: Naming, blocks: int) -> float:
    """The factor that every transition agrees with: 0.5 or 1 where they do, as in every published network."""
    shapes = (naming.shape("transition.conv", block) for block in range(1, blocks))
    sides = [(shape[1], shape[0]) for shape in shapes if shape is not None and len(shape) > 1 and min(shape[:2]) > 0]
    exact = [0.5, 1.0] + [min(1.0, (reduced + 0.5) / channels) for channels, reduced in sides]
    fits = (r for r in exact if all(transition_channels(before, r) == after for before, after in sides))
    return next(fits, 0.5)


def is_counter(tensor: Tensor) -> bool:
    """Whether a tensor is one whole number."""
    return tensor.ndim == 0 and not tensor.is_floating_point() and tensor.dtype != torch.bool

"""Keeps count of what a faster way was seen to do equally: it is trusted as long as it is, and no further."""

from __future__ import annotations

from collections import Counter
from typing import Generic, TypeVar

from densezoo.errors import DatasetError

Kind = TypeVar("Kind")

ENOUGH = 8  # images of a kind that are equal, before the kind counts as equal
VARIED = 32  # difference between the darkest and the lightest value, below which equal images show little
SWITCH = "DENSEZOO_DECODING"  # "own": the protocols' own libraries decode and resize all images
AGAIN = 64  # one of so many later images is compared again


class Comparisons(Generic[Kind]):
    """The images of each kind on which a faster way gave the pixels of the protocol's own library.

    Threads may share one; a process that is forked goes on from what is known.

    Args:
        name: of the faster way.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.equal: Counter[Kind] = Counter()  # images that were done, all equal
        self.different: set[Kind] = set()

    def trusts(self, kind: Kind) -> bool:
        """Whether the next image of a kind needs no comparison; it counts as one more.

        Args:
            kind: of the image.
        """
        if self.equal[kind] < ENOUGH or self.equal[kind] % AGAIN == 0:
            return False
        self.equal[kind] += 1
        return True

    def compared(self, kind: Kind, equal: bool, telling: bool, location: str) -> None:
        """Take note of a comparison.

        Args:
            kind: of the image.
            equal: whether both ways gave the same.
            telling: whether an image that is equal says something of others.
            location: of the image, for messages.

        Raises:
            DatasetError: they differ, and images of the kind weren't compared before because they had been equal.
        """
        if equal:
            self.equal[kind] += telling or self.equal[kind] >= ENOUGH
        elif self.equal[kind] < ENOUGH:
            self.different.add(kind)
        else:
            raise DatasetError(
                f"{location}: {self.name} gives other pixels than the protocol's own library, as it didn't for "
                f"{self.equal[kind]:,} images of its kind before; start again with {SWITCH}=own in the environment"
            )

    @property
    def kinds(self) -> tuple[int, int]:
        """How many kinds were equal so far, and how many were not."""
        return len(set(+self.equal) - self.different), len(self.different)

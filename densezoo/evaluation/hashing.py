"""Hashes all images of a set in the main process, for all processes."""

from __future__ import annotations

from densezoo.data.contents import VerifiedImages, content_digests, hashed_set, verified
from densezoo.data.images import ImageSet
from densezoo.evaluation import distributed
from densezoo.evaluation.progress import progress


def hashed(images: ImageSet, show_progress: bool = False) -> VerifiedImages:
    """The set with the digest of every image.

    Args:
        images: the set; one that has its digests is returned unchanged.
        show_progress: show progress on stderr if it takes more than two seconds.
    """
    if isinstance(images, VerifiedImages):
        return images
    digests = None
    if distributed.is_main():
        with progress("hashing", len(hashed_set(images)), show=show_progress, patience=2.0) as advance:
            digests = content_digests(images, advance)
    of_main = distributed.gather(digests)[0]
    assert of_main is not None
    return verified(images, of_main)

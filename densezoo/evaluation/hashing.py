"""The digests of all images, made once by one process for all of them."""

from __future__ import annotations

from densezoo.data.contents import VerifiedImages, content_digests, hashed_set, verified
from densezoo.data.images import ImageSet
from densezoo.evaluation import distributed
from densezoo.evaluation.progress import progress


def hashed(images: ImageSet, show_progress: bool = False) -> VerifiedImages:
    """The set with the digest of every image.

    Args:
        images: of a dataset; of digests that are known already, the same set.
        show_progress: on stderr, if it takes more than two seconds.
    """
    if isinstance(images, VerifiedImages):
        return images
    digests = None
    if distributed.is_main():
        with progress("hashing", len(hashed_set(images)), show=show_progress, patience=2.0) as advance:
            digests = content_digests(images, advance)
    known = distributed.gather(digests)[0]
    assert known is not None
    return verified(images, known)

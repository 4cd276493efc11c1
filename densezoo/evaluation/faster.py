"""Which faster ways there are to decode and to resize images."""

from __future__ import annotations

import os

from densezoo.data.cropping import EqualCropper
from densezoo.data.equality import SWITCH
from densezoo.data.jpeg import EqualDecoder
from densezoo.data.loading import Faster
from densezoo.errors import BackendError


def faster_ways() -> Faster:
    """simplejpeg where it is installed, the native library's resize where it was built; neither if SWITCH says so."""
    if os.environ.get(SWITCH) == "own":
        return Faster()
    return Faster(EqualDecoder() if EqualDecoder.is_installed() else None, _cropper())


def _cropper() -> EqualCropper | None:
    from densezoo.backends.native import resample

    try:
        resample.library()
    except BackendError:
        return None
    return EqualCropper(resample.resized_crop)

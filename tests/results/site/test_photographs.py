from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from densezoo.protocols import PROTOCOLS
from densezoo.results.pictures import pixels, sample_photograph
from densezoo.results.site.photographs import PHOTOGRAPH, shots


def test_a_picture_has_the_very_pixels_that_a_network_gets() -> None:
    names = ["torchvision", "caffe", "mindcv", "pudae"]
    found, pictures = shots(names)
    assert [shot.protocol for shot in found] == names
    _, caffe, mindcv, pudae = found
    assert caffe.path == mindcv.path  # the same pixels are one file
    assert len(pictures) == 3
    for shot in found:
        shown = np.asarray(Image.open(BytesIO(pictures[shot.path])).convert("RGB"))
        assert shown.shape == (shot.side, shot.side, 3)
        assert np.array_equal(shown, np.asarray(pixels(sample_photograph(PHOTOGRAPH), shot.protocol)))
    assert PROTOCOLS["pudae"].value_range == 255
    assert np.asarray(Image.open(BytesIO(pictures[pudae.path]))).mean() > 60  # floats of 0 to 255 are no black image

"""Which versions of decoders a result names."""

from __future__ import annotations

import importlib.util
from importlib.metadata import version

import cv2
import PIL
import pytest
from PIL import features

from densezoo.data.libraries import decoding_versions


def test_they_are_those_that_are_imported() -> None:
    assert decoding_versions() == {
        "numpy": version("numpy"),
        "opencv": cv2.__version__,
        "opencv's libjpeg-turbo": decoding_versions()["opencv's libjpeg-turbo"],
        "pillow": PIL.__version__,
        "pillow's libjpeg-turbo": features.version("libjpeg_turbo"),
        **({"simplejpeg": version("simplejpeg")} if importlib.util.find_spec("simplejpeg") else {}),
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("    JPEG:                        build-libjpeg-turbo (ver 3.1.2-70)", "3.1.2-70"),
        ("    JPEG:                        /usr/lib/libjpeg.so (ver 80)", "80"),
        ("    JPEG 2000:                   build (ver 2.5.3)", "unknown"),
        ("    JPEG:                        NO", "unknown"),
    ],
)
def test_opencv_s_own_libjpeg_is_read_from_its_build_information(
    monkeypatch: pytest.MonkeyPatch, line: str, expected: str
) -> None:
    text = f"  Media I/O: \n    ZLib:                        build (ver 1.3.1)\n{line}\n"
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: text)
    decoding_versions.cache_clear()
    try:
        assert decoding_versions()["opencv's libjpeg-turbo"] == expected
    finally:
        decoding_versions.cache_clear()

"""Versions of the libraries that decode and resample: another version may give other pixels."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from importlib import metadata

import numpy as np


@cache
def decoding_versions() -> dict[str, str]:
    """{library: version} of the libraries that decode and resample, and of the libjpeg-turbo that each includes."""
    import cv2
    import PIL
    from PIL import features

    in_opencv = re.search(r"^ *JPEG: .*\(ver ([^)]+)\)", cv2.getBuildInformation(), re.MULTILINE)
    in_use = {"simplejpeg": metadata.version("simplejpeg")} if importlib.util.find_spec("simplejpeg") else {}
    return {
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "opencv's libjpeg-turbo": in_opencv[1] if in_opencv else "unknown",
        "pillow": PIL.__version__,
        "pillow's libjpeg-turbo": features.version("libjpeg_turbo") or features.version("jpg") or "unknown",
        **in_use,
    }

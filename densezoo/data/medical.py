"""DICOM files -> 8-bit pictures, as a viewer shows them: rescaled, windowed, inverted where 0 is white.

DICOM PS3.3, C.11.1 (modality LUT), C.11.2 (VOI LUT and windows), C.7.6.3.1.2 (photometric interpretation).
"""

from __future__ import annotations

import io
import logging
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densezoo.errors import MissingDependencyError

Values = NDArray[np.float64]


def is_dicom(data: bytes) -> bool:
    """Whether a file is DICOM by its preamble.

    Args:
        data: the encoded file.
    """
    return data[128:132] == b"DICM"


def dicom_pixels(data: bytes) -> NDArray[np.uint8]:
    """The picture: (H, W), or (H, W, 3) of a colour file.

    Values are rescaled by the file's slope and intercept (or its modality LUT); its first window, or its VOI LUT, makes
    them 0 to 255; without either its smallest and largest value do, which is warned of. MONOCHROME1 is inverted.

    Args:
        data: the encoded file.

    Raises:
        MissingDependencyError: no pydicom.
        ValueError: several frames, an unknown photometric interpretation, a window that is none.
        Exception: what pydicom raises for a file that it can't read.
    """
    try:
        import pydicom
        from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut, convert_color_space
    except ImportError:
        raise MissingDependencyError("reading DICOM files", "pydicom", "medical") from None
    file = pydicom.dcmread(io.BytesIO(data))
    if int(file.get("NumberOfFrames", 1) or 1) > 1:
        raise ValueError(f"DICOM of {file.NumberOfFrames} frames; expected one picture: write each frame to a file")
    stored, kind = file.pixel_array, str(file.PhotometricInterpretation)
    if kind.startswith(("YBR", "RGB")) and stored.dtype == np.uint8:
        colours: NDArray[np.uint8] = stored if kind == "RGB" else convert_color_space(stored, kind, "RGB")
        return colours
    if kind not in ("MONOCHROME1", "MONOCHROME2"):
        raise ValueError(f"DICOM of {kind}, {stored.dtype}; expected MONOCHROME1, MONOCHROME2 or 8-bit colours")
    values = np.asarray(apply_modality_lut(stored, file), np.float64)
    if file.get("WindowWidth") not in (None, ""):
        shown = windowed(values, _first(file.WindowCenter), _first(file.WindowWidth), _function(file))
    elif file.get("VOILUTSequence"):
        levels = 2.0 ** int(file.VOILUTSequence[0].LUTDescriptor[2]) - 1
        shown = np.asarray(apply_voi_lut(values.astype(np.int64), file), np.float64) / levels * 255
    else:
        _warn_no_window()
        low, high = values.min(), values.max()
        shown = (values - low) * (255 / (high - low)) if high > low else np.zeros_like(values)
    grey = np.rint(np.clip(shown, 0, 255)).astype(np.uint8)
    return 255 - grey if kind == "MONOCHROME1" else grey


def windowed(values: Values, centre: float, width: float, function: str = "LINEAR") -> Values:
    """Values under a window: 0 to 255.

    Args:
        values: rescaled, (H, W).
        centre, width: of the window, in units of the values.
        function: LINEAR, LINEAR_EXACT or SIGMOID (C.11.2.1.2.1 and C.11.2.1.3).

    Raises:
        ValueError: a width that is too small, or another function.
    """
    least = 1.0 if function == "LINEAR" else 0.0
    if not (width > least or (function == "LINEAR" and width == 1)):
        raise ValueError(f"DICOM's WindowWidth is {width:g}; expected more than {least:g} for {function}")
    if function == "LINEAR":
        if width == 1:
            return np.where(values > centre - 0.5, 255.0, 0.0)
        return np.clip(((values - (centre - 0.5)) / (width - 1) + 0.5) * 255, 0, 255)
    if function == "LINEAR_EXACT":
        return np.clip(((values - centre) / width + 0.5) * 255, 0, 255)
    if function == "SIGMOID":
        return 255 / (1 + np.exp(-4 * (values - centre) / width))
    raise ValueError(f"DICOM's VOILUTFunction is {function}; expected LINEAR, LINEAR_EXACT or SIGMOID")


def _function(file: Any) -> str:
    return str(file.get("VOILUTFunction") or "LINEAR").upper()


def _first(value: Any) -> float:
    """The first of a file's windows."""
    return float(value[0] if isinstance(value, (list, tuple)) or hasattr(value, "__iter__") else value)


@cache
def _warn_no_window() -> None:
    logging.getLogger("densezoo").warning(
        "warning: DICOM files without a window: the smallest and the largest value of each picture become 0 and 255"
    )

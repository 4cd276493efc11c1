"""DICOM files that pydicom writes here, held to pydicom's own windows."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from densezoo.data import medical
from densezoo.data.decoding import decode
from densezoo.data.layouts.given import named_images
from densezoo.data.medical import dicom_pixels, is_dicom, windowed
from densezoo.errors import ImageError, MissingDependencyError
from densezoo.protocols import get_protocol

VALUES = np.random.default_rng(0).integers(0, 4096, (20, 30), np.uint16)


def dicom(pixels: np.ndarray = VALUES, kind: str = "MONOCHROME2", **elements: Any) -> bytes:
    """An encoded file of 12 bits a pixel (8 for uint8)."""
    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.file_meta.MediaStorageSOPClassUID = file.SOPClassUID = SecondaryCaptureImageStorage
    file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = generate_uid()
    file.Rows, file.Columns = pixels.shape[:2]
    file.SamplesPerPixel, file.PhotometricInterpretation = (3 if pixels.ndim == 3 else 1), kind
    if pixels.ndim == 3:
        file.PlanarConfiguration = 0
    file.BitsAllocated = 8 * pixels.itemsize
    file.BitsStored = 12 if pixels.itemsize == 2 else 8
    file.HighBit, file.PixelRepresentation = file.BitsStored - 1, int(pixels.dtype.kind == "i")
    for name, value in elements.items():
        setattr(file, name, value)
    file.PixelData = pixels.tobytes()
    written = io.BytesIO()
    file.save_as(written, enforce_file_format=True)
    return written.getvalue()


WINDOW: dict[str, Any] = {"WindowCenter": 1500.0, "WindowWidth": 900.0}
RESCALE: dict[str, Any] = {"RescaleSlope": 2.0, "RescaleIntercept": -1024.0}


@pytest.mark.parametrize(
    "elements",
    [
        WINDOW,
        {**WINDOW, **RESCALE},
        {"WindowCenter": [40.0, 1000.0], "WindowWidth": [400.0, 100.0], **RESCALE},
        {**WINDOW, "VOILUTFunction": "LINEAR_EXACT"},
        {**WINDOW, "VOILUTFunction": "SIGMOID"},
        {**WINDOW, "WindowWidth": 1.0},
    ],
    ids=["window", "rescaled", "two windows", "exact", "sigmoid", "a step"],
)
def test_windows_are_pydicom_s(elements: dict[str, Any]) -> None:
    data = dicom(**elements)
    file = pydicom.dcmread(io.BytesIO(data))
    theirs = np.asarray(apply_voi_lut(apply_modality_lut(file.pixel_array, file), file), np.float64)
    slope, intercept = float(elements.get("RescaleSlope", 1)), float(elements.get("RescaleIntercept", 0))
    low, high = intercept, 4095 * slope + intercept  # what pydicom's windows end at
    expected = (theirs - low) / (high - low) * 255
    found = dicom_pixels(data)
    assert found.dtype == np.uint8
    assert np.abs(found - expected).max() <= 0.5 + 1e-6
    assert len(np.unique(found)) > (1 if elements["WindowWidth"] == 1.0 else 20)
    inverted = dicom_pixels(dicom(kind="MONOCHROME1", **elements))
    assert np.array_equal(inverted, 255 - found)


def test_without_a_window_a_picture_s_own_range_and_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    medical._warn_no_window.cache_clear()
    found = dicom_pixels(dicom())
    low, high = int(VALUES.min()), int(VALUES.max())
    assert np.array_equal(found, np.rint((VALUES.astype(float) - low) * (255 / (high - low))))
    assert "without a window" in caplog.text
    assert not dicom_pixels(dicom(np.full((2, 2), 7, np.uint16))).any()


def test_a_voi_lut() -> None:
    entries = (np.arange(4096, dtype="<u2") * 16)[::-1]
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [4096, 0, 16], entries.tobytes()
    table["LUTDescriptor"].VR, table["LUTData"].VR = "US", "OW"
    expected = np.rint(entries[VALUES] / 65535 * 255)
    assert np.array_equal(dicom_pixels(dicom(VOILUTSequence=[table])), expected)


def test_signed_and_coloured_files() -> None:
    signed = (VALUES.astype(np.int16) - 2048) // 2
    elements: dict[str, Any] = {"WindowCenter": 0.0, "WindowWidth": 1000.0}
    expected = np.rint(windowed(signed.astype(np.float64), 0.0, 1000.0))
    assert np.array_equal(dicom_pixels(dicom(signed, **elements)), expected)
    colours = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    assert np.array_equal(dicom_pixels(dicom(colours, "RGB")), colours)


def test_a_file_is_a_picture_like_any_other(tmp_path: Path) -> None:
    data = dicom(**WINDOW)
    (tmp_path / "a.dcm").write_bytes(data)
    images = named_images([tmp_path])
    assert is_dicom(data)
    assert not is_dicom(b"\x89PNG")
    content = images.read(0)
    assert isinstance(content, bytes)
    found = np.asarray(decode(content, get_protocol("torchvision"), "a.dcm"))
    assert found.shape == (20, 30, 3)
    assert np.array_equal(found[..., 0], dicom_pixels(data))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (dicom(np.zeros((6, 2), np.uint16), NumberOfFrames=3, Rows=2), "DICOM of 3 frames; expected one picture"),
        (dicom(kind="PALETTE COLOR"), "DICOM of PALETTE COLOR, uint16"),
        (dicom(WindowCenter=1.0, WindowWidth=0.5), "WindowWidth is 0.5; expected more than 1 for LINEAR"),
        (dicom(**{**WINDOW, "VOILUTFunction": "CUBIC"}), "VOILUTFunction is CUBIC"),
        (dicom()[:-100], "can't be decoded"),
    ],
)
def test_what_is_no_picture(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        decode(data, get_protocol("torchvision"), "a.dcm")


def test_pydicom_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(MissingDependencyError, match=r"reading DICOM files needs pydicom.*\[medical\]"):
        decode(dicom(), get_protocol("torchvision"), "a.dcm")

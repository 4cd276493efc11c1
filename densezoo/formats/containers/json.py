"""JSON that a file holds or has beside it, parsed within bounds of time and memory."""

from __future__ import annotations

import json
from typing import Any

from densezoo.errors import FormatError
from densezoo.formats.limits import MAX_JSON

#: Values of one, each of which takes up to 250 bytes of memory, and one more for so many bytes of the file.
MAX_VALUES, BYTES_PER_VALUE = 200_000, 64


def parse_json(text: bytes | str, where: str, size: int = 0) -> Any:
    """What the text says.

    Args:
        text: of JSON; bytes are UTF-8.
        where: the text's place, for messages.
        size: bytes of the file that it describes.

    Raises:
        FormatError: longer than a checkpoint's.
        ValueError, RecursionError: no JSON.
    """
    text = text.encode() if isinstance(text, str) else text
    values = sum(text.count(sign) for sign in (b"[", b"{", b","))
    if len(text) > MAX_JSON or values > MAX_VALUES + size // BYTES_PER_VALUE:
        raise FormatError(
            f"{where}: {len(text):,} bytes of JSON with {values:,} values; expected at most {MAX_JSON:,} bytes and "
            f"{MAX_VALUES + size // BYTES_PER_VALUE:,} values in a checkpoint"
        )
    return json.loads(text)

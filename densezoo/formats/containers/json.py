"""JSON in a file or beside it, parsed within limits of time and memory."""

from __future__ import annotations

import json
from typing import Any

from densezoo.errors import FormatError
from densezoo.formats.limits import MAX_JSON

#: Values of one text, each of which takes up to 250 bytes of memory; one more is allowed for so many bytes of the file.
MAX_VALUES, BYTES_PER_VALUE = 200_000, 64


def parse_json(text: bytes | str, error_prefix: str, size: int = 0) -> Any:
    """The value that a JSON text holds.

    Args:
        text: the JSON; bytes are UTF-8.
        error_prefix: the file, and what the text is in it, for messages.
        size: of the file that the text describes, in bytes.

    Raises:
        FormatError: longer than the JSON of a checkpoint.
        ValueError, RecursionError: no JSON.
    """
    text = text.encode() if isinstance(text, str) else text
    values = sum(text.count(sign) for sign in (b"[", b"{", b","))
    if len(text) > MAX_JSON or values > MAX_VALUES + size // BYTES_PER_VALUE:
        raise FormatError(
            f"{error_prefix}: {len(text):,} bytes of JSON with {values:,} values; expected at most {MAX_JSON:,} bytes "
            f"and {MAX_VALUES + size // BYTES_PER_VALUE:,} values in a checkpoint"
        )
    return json.loads(text)

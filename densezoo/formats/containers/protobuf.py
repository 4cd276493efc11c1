"""Protocol buffers in binary form, without generated classes: https://protobuf.dev/programming-guides/encoding/.

Caffe, MindSpore and ONNX files are protocol buffers. A reader gives a table {field number: (name, kind)} for each
message that it needs; everything else in the file is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from densezoo.errors import FormatError
from densezoo.formats.binary import Bytes, cut

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_FIELDS = 100_000  # of one file; the largest network has 30,000, and 45,000 with both moments of Adam
MAX_TEXT = 1 << 20  # bytes of one

#: {field number: (name, kind)}; a kind is "int", "float", "bytes", "text" or "ints" (packed or not), or a table:
#: a message. A name that ends in "*" repeats and is a list.
Table: TypeAlias = "Mapping[int, tuple[str, str | Table]]"
#: {name: value} of a parsed message; what a value is, the message's table says.
Message = dict[str, Any]


class MessageReader:
    """Parses the messages of one file.

    Args:
        data: its bytes.
    """

    def __init__(self, data: Bytes) -> None:
        self.error_prefix, self.data, self._left = str(data.path), data, MAX_FIELDS

    def parse(self, table: Table, start: int = 0, end: int | None = None) -> Message:
        """The fields of a message: {name: value}, or {name: [values]} of a name that repeats.

        Args:
            table: the fields to read.
            start, end: offsets of the message's first byte and of the byte after its last; None: the file's end.

        Raises:
            FormatError: broken, truncated, or another kind of field than the table says.
        """
        fields: Message = {name[:-1]: [] for name, _ in table.values() if name.endswith("*")}
        for number, wire, value in self._fields(start, len(self.data) if end is None else end):
            if number not in table:
                continue
            name, kind = table[number]
            decoded = self._decoded(kind, wire, value, name)
            if not name.endswith("*"):
                fields[name] = decoded
            elif kind == "ints":
                fields[name[:-1]] += decoded
            else:
                fields[name[:-1]].append(decoded)
        return fields

    def _decoded(self, kind: str | Table, wire: int, value: Any, name: str) -> Any:
        match kind, wire:
            case "int", 0:
                return value
            case "ints", 0:
                return [value]
            case "ints", 2:
                return list(self._varints(*value))
            case "float", 5:
                return float(str(np.frombuffer(value, "<f4")[0]))  # 1e-05, and not 9.999999747378752e-06
            case "bytes", 2:
                return self._part(*value)
            case "text", 2:
                if value[1] - value[0] > MAX_TEXT:
                    raise FormatError(
                        f"{self.error_prefix}: the field {name} is a text of {value[1] - value[0]:,} bytes"
                    )
                return bytes(self._part(*value).read()).decode("utf-8", "replace")
            case Mapping(), 2:
                return self.parse(kind, *value)
        raise FormatError(f"{self.error_prefix}: the field {name} is of wire type {wire}; expected {kind}")

    def _fields(self, position: int, end: int) -> Iterator[tuple[int, int, Any]]:
        """(field number, wire type, its value: a number, 4 or 8 bytes, or (start, end))."""
        while position < end:
            self._left -= 1
            if self._left < 0:
                raise FormatError(
                    f"{self.error_prefix}: more than {MAX_FIELDS:,} fields; expected at most so many in a checkpoint"
                )
            begin = position
            key, position = self._varint(position, end)
            number, wire = key >> 3, key & 7
            value: Any
            if wire == VARINT:
                value, position = self._varint(position, end)
            elif wire == BYTES:
                length, position = self._varint(position, end)
                value, position = (position, position + length), position + length
            elif wire in (FIXED32, FIXED64):
                size = 4 if wire == FIXED32 else 8
                value = bytes(self._part(position, min(position + size, end)).read())
                position += size
            else:
                raise FormatError(
                    f"{self.error_prefix}: at byte {begin:,}: wire type {wire}, which protocol buffers lack"
                )
            if position > end or number == 0:
                raise FormatError(
                    f"{self.error_prefix}: at byte {begin:,}: field {number} ends at byte {position:,}, and its "
                    f"message at {end:,}; the file is broken or truncated"
                )
            yield number, wire, value

    def _part(self, start: int, end: int) -> Bytes:
        return cut(self.data, start, end - start, f"{self.error_prefix}: a field")

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        file, value = self.data.file, 0
        file.seek(self.data.start + position)
        for i, byte in enumerate(file.read(min(10, end - position))):
            value |= (byte & 127) << 7 * i
            if byte < 128:  # negative numbers take 10 bytes
                return (value - (1 << 64) if value >> 63 else value), position + i + 1
        raise FormatError(f"{self.error_prefix}: at byte {position:,}: a number without an end; broken or truncated")

    def _varints(self, position: int, end: int) -> Iterator[int]:
        while position < end:
            self._left -= 1
            if self._left < 0:
                raise FormatError(
                    f"{self.error_prefix}: more than {MAX_FIELDS:,} numbers; expected at most so many in a checkpoint"
                )
            value, position = self._varint(position, end)
            yield value


def first_bytes(head: bytes) -> bytes:
    """The value of the first field, as far as the head has it; empty if the field is no message, text or bytes.

    Args:
        head: the first bytes of a file or of a message.
    """
    if len(head) < 2 or head[0] & 7 != BYTES or head[0] & 128:
        return b""
    end = next((i for i, byte in enumerate(head[1:11], start=1) if byte < 128), 0)
    length = sum((byte & 127) << 7 * i for i, byte in enumerate(head[1 : end + 1]))
    return head[end + 1 : end + 1 + length] if end else b""

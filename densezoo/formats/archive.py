"""zip archives as torch.save, numpy and Keras write them: members by name, mapped or decompressed within bounds."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from densezoo.errors import FormatError
from densezoo.formats.binary import EXPANSION_SLACK, MAX_EXPANSION, cut, map_file

MAX_MEMBERS = 50_000  # a DenseNet-264 with optimiser state has under 10,000; zipfile takes 0.5 kB for each
CENTRAL_HEADER = b"PK\x01\x02"
#: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT 4.3.7: 30 bytes, a name, an extra field, the data.
LOCAL_HEADER, LOCAL_HEADER_SIZE = b"PK\x03\x04", 30


class Archive:
    """A zip file whose members are read where they lie.

    Args:
        path: the file.

    Raises:
        FormatError: no zip file, or truncated.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = map_file(path)
        self._budget = MAX_EXPANSION * len(self.data) + EXPANSION_SLACK
        self._check_member_count()
        try:
            with zipfile.ZipFile(path) as archive:
                self.members = {info.filename: info for info in archive.infolist()}
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, UnicodeDecodeError) as error:
            raise FormatError(self._broken(str(error))) from error

    def _check_member_count(self) -> None:
        found, position = 0, -1
        while (position := self.data.obj.find(CENTRAL_HEADER, position + 1)) >= 0:  # type: ignore[attr-defined]
            found += 1
            if found > MAX_MEMBERS:
                raise FormatError(f"{self.path}: an archive of more than {MAX_MEMBERS:,} members is no checkpoint")

    def _broken(self, reason: str) -> str:
        return (
            f"{self.path}: a zip archive by its first bytes, but broken or truncated at its "
            f"{len(self.data):,} bytes ({reason}); fetch it anew"
        )

    def read(self, name: str) -> memoryview:
        """The bytes of a member: mapped if they are stored as they are, else decompressed.

        Raises:
            FormatError: no such member; a broken one; it decompresses to more than its header or the budget allows.
        """
        info = self.members.get(name)
        if info is None:
            raise FormatError(self._broken(f"there is no member {name}"))
        head = self._cut(info.header_offset, LOCAL_HEADER_SIZE, name)
        if head[:4] != LOCAL_HEADER or info.flag_bits & 1:
            raise FormatError(self._broken(f"at byte {info.header_offset:,}: no readable member {name}"))
        start = info.header_offset + LOCAL_HEADER_SIZE
        start += int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        data = self._cut(start, info.compress_size, name)
        if info.compress_type == zipfile.ZIP_STORED and info.compress_size == info.file_size:
            return data
        if info.compress_type != zipfile.ZIP_DEFLATED:
            raise FormatError(self._broken(f"{name} is compressed by method {info.compress_type}"))
        return self._inflated(data, info.file_size, name)

    def _cut(self, start: int, length: int, name: str) -> memoryview:
        try:
            return cut(self.data, start, length, name)
        except FormatError as error:
            raise FormatError(self._broken(str(error))) from None

    def _inflated(self, data: memoryview, size: int, name: str) -> memoryview:
        self._budget -= size
        if self._budget < 0:
            raise FormatError(
                f"{self.path}: its members claim to decompress to more than {MAX_EXPANSION} times the file's "
                f"{len(self.data):,} bytes; no checkpoint does"
            )
        try:
            out = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)
        except zlib.error as error:
            raise FormatError(self._broken(f"{name}: {error}")) from None
        if len(out) != size:
            raise FormatError(self._broken(f"{name} should decompress to {size:,} bytes and does not"))
        return memoryview(out)

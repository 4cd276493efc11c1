"""zip archives as torch.save, numpy and Keras write them: members by name, read or decompressed within bounds."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import IO, cast

from densezoo.errors import FormatError
from densezoo.formats.binary import BLOCK, Bytes, cut, in_memory
from densezoo.formats.limits import EXPANSION_SLACK, MAX_EXPANSION, MAX_READ, MAX_REPEATED

MAX_MEMBERS = 16_000  # the largest network with its optimiser has under 10,000; zipfile takes 0.5 kB and 15 us for each
MAX_DIRECTORY = 512 * MAX_MEMBERS  # bytes of the list of members
CENTRAL_HEADER = b"PK\x01\x02"
#: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT 4.3.7: 30 bytes, a name, an extra field, the data.
LOCAL_HEADER, LOCAL_HEADER_SIZE = b"PK\x03\x04", 30


class _Directory:
    """The file from which `zipfile` reads the list of members; refuses more of them than a checkpoint has."""

    def __init__(self, data: Bytes) -> None:
        self.data, self.members = data, 0
        self.seek, self.tell = data.file.seek, data.file.tell

    def read(self, count: int = -1) -> bytes:
        count = count if count >= 0 else len(self.data) - self.tell()
        content = self.data.file.read(count) if count <= MAX_DIRECTORY else b""
        self.members += content.count(CENTRAL_HEADER)
        if count > MAX_DIRECTORY or self.members > MAX_MEMBERS:
            raise FormatError(f"{self.data.path}: an archive of more than {MAX_MEMBERS:,} members is no checkpoint")
        return content


class Archive:
    """A zip file whose members are read from where they are in the file.

    Args:
        data: the whole file.

    Raises:
        FormatError: no zip file, or truncated; more members than a checkpoint has.
    """

    def __init__(self, data: Bytes) -> None:
        self.path, self.data = data.path, data
        self._budget = min(MAX_EXPANSION * len(data) + EXPANSION_SLACK, MAX_READ)
        try:
            with zipfile.ZipFile(cast("IO[bytes]", _Directory(data))) as archive:
                self.members = {info.filename: info for info in archive.infolist()}
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, UnicodeDecodeError) as error:
            raise FormatError(self._broken(str(error))) from error

    def _broken(self, reason: str) -> str:
        return (
            f"{self.path}: a zip archive by its first bytes, but broken or truncated at its "
            f"{len(self.data):,} bytes ({reason}); fetch it anew"
        )

    def read(self, name: str) -> Bytes:
        """The bytes of a member: not read yet if they are stored uncompressed, else decompressed into memory.

        Args:
            name: of the member.

        Raises:
            FormatError: no such member; a broken one; it decompresses to more than its header or the budget allows.
        """
        info = self.members.get(name)
        if info is None:
            raise FormatError(self._broken(f"there is no member {name}"))
        head = self._cut(info.header_offset, LOCAL_HEADER_SIZE, name).read()
        if info.flag_bits & 1:
            raise FormatError(f"{self.path}: {name} is encrypted; save the archive without a password")
        if head[:4] != LOCAL_HEADER:
            raise FormatError(self._broken(f"at byte {info.header_offset:,}: no readable member {name}"))
        start = info.header_offset + LOCAL_HEADER_SIZE
        start += int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        data = self._cut(start, info.compress_size, name)
        if info.compress_type == zipfile.ZIP_STORED and info.compress_size == info.file_size:
            return data
        if info.compress_type != zipfile.ZIP_DEFLATED:
            raise FormatError(
                f"{self.path}: {name} is compressed by method {info.compress_type} of zip; expected it as it is, or "
                "deflated (method 8): unpack the archive and zip it so"
            )
        return self._inflated(data, info.file_size, name)

    def _cut(self, start: int, length: int, name: str) -> Bytes:
        try:
            return cut(self.data, start, length, name)
        except FormatError as error:
            raise FormatError(self._broken(str(error))) from None

    def _inflated(self, data: Bytes, size: int, name: str) -> Bytes:
        self._budget -= size
        if self._budget < 0:
            raise FormatError(
                f"{self.path}: its members claim to decompress to more than {MAX_EXPANSION} times the file's "
                f"{len(self.data):,} bytes; no checkpoint does"
            )
        out, inflater, taken = io.BytesIO(), zlib.decompressobj(-zlib.MAX_WBITS), 0
        while taken < len(data) and out.tell() <= size and not inflater.eof:
            piece = cut(data, taken, min(BLOCK, len(data) - taken), name).read()
            taken += len(piece)
            most = min(size, MAX_EXPANSION * taken + MAX_REPEATED)  # of zeros, a megabyte would make a gigabyte
            try:
                out.write(inflater.decompress(piece, most + 1 - out.tell()))
            except zlib.error as error:
                raise FormatError(self._broken(f"{name}: {error}")) from None
            if out.tell() > most:
                break
        if out.tell() != size:
            raise FormatError(self._broken(f"{name} should decompress to {size:,} bytes and does not"))
        return in_memory(self.path, out)

"""gzip and tar, alone or one in the other, as checkpoints are packed: members by name, unpacked within bounds."""

from __future__ import annotations

import io
import tarfile
import zlib

from densezoo.errors import FormatError
from densezoo.formats.binary import BLOCK, Bytes, cut, in_memory
from densezoo.formats.limits import EXPANSION_SLACK, MAX_EXPANSION, MAX_READ

MAX_MEMBERS = 16_000
_BROKEN = (tarfile.TarError, ValueError, OverflowError, EOFError, OSError, LookupError)


def gunzip(data: Bytes) -> Bytes:
    """What a gzip file holds, in memory.

    Raises:
        FormatError: broken or truncated; it holds more than a checkpoint's file of its size does.
    """
    most = min(MAX_EXPANSION * len(data) + EXPANSION_SLACK, MAX_READ)
    out, inflater, taken = io.BytesIO(), zlib.decompressobj(16 + zlib.MAX_WBITS), 0
    try:
        while taken < len(data) and not inflater.eof:
            piece = cut(data, taken, min(BLOCK, len(data) - taken), "gzip").read()
            taken += len(piece)
            out.write(inflater.decompress(piece, most + 1 - out.tell()))
            if out.tell() > most:
                raise FormatError(
                    f"{data.path}: a gzip file of {len(data):,} bytes that holds more than {most:,}; no checkpoint does"
                )
    except zlib.error as error:
        raise FormatError(f"{data.path}: a gzip file by its first bytes, but broken ({error}); fetch it anew") from None
    if not inflater.eof:
        raise FormatError(f"{data.path}: a gzip file that is truncated at its {len(data):,} bytes; fetch it anew")
    return in_memory(data.path, out, data.opened.depth + 1)


def tar_members(data: Bytes) -> dict[str, Bytes]:
    """{name: bytes} of the files in a tar archive.

    Raises:
        FormatError: broken; more members than a checkpoint has.
    """
    members = {}
    try:
        data.file.seek(data.start)
        with tarfile.open(fileobj=data.file, mode="r:") as archive:
            for count, member in enumerate(archive):
                if count > MAX_MEMBERS:
                    raise FormatError(f"{data.path}: a tar archive of more than {MAX_MEMBERS:,} members")
                if member.isreg() and not member.issparse():
                    start = member.offset_data - data.start
                    members[member.name] = cut(data, start, member.size, f"{data.path}: {member.name}")
    except _BROKEN as error:
        raise FormatError(f"{data.path}: a tar archive that is broken ({error!s:.80}); fetch it anew") from None
    return members

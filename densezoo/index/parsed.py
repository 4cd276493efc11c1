"""The values of an index's YAML files, parsed once: they are kept as JSON in the cache, under the files' sha256.

JSON is read in a twentieth of YAML's time. Only what bytes alone decide is kept: a file that changes by a byte is
parsed again, and every check of the index runs each time.
"""

from __future__ import annotations

import contextlib
import json
from hashlib import sha256
from pathlib import Path

from densezoo.errors import MetafileError
from densezoo.files import replacing
from densezoo.paths import cache_folder
from densezoo.types import Figure

#: Goes into the checksum of what is kept: with another text no file that is kept already is believed.
FORMAT = b"densezoo: values of YAML files, 1\n"
_FIGURE = "\0figure"  # the key of a number's digits


class ParsedFiles:
    """The YAML files of one index. Where the cache can't be read or written, each file is parsed each time.

    Args:
        index: the index's own file; the cache has a file for each index.
    """

    def __init__(self, index: Path) -> None:
        self._index = index
        self._kept: dict[str, object] = {}
        self._values: dict[str, object] = {}
        with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: a user without a home
            self._kept = _checked(self._path().read_bytes())

    def _path(self) -> Path:
        return cache_folder() / "index" / f"{sha256(bytes(self._index)).hexdigest()[:16]}.json"

    def read(self, path: Path) -> object:
        """A YAML file's value.

        Args:
            path: of the file.

        Raises:
            MetafileError: unreadable, no YAML, the same key twice.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise MetafileError(f"{path}: can't be read ({error.strerror})") from None
        key = sha256(content).hexdigest()
        if key in self._kept:
            self._values[key] = self._kept[key]
        else:
            from densezoo.yaml_files import parse_yaml  # here, because it is slow and seldom needed

            self._values[key] = parse_yaml(content, path)
        return self._values[key]

    def keep(self) -> None:
        """Keep the values of the files that were read, and no others; called when all were found to be right."""
        if self._values.keys() == self._kept.keys():
            return
        plain = {}
        for key, value in self._values.items():
            with contextlib.suppress(TypeError):  # JSON has no dates; such a file is parsed each time
                plain[key] = _plain(value)
        body = json.dumps(plain).encode()
        with contextlib.suppress(OSError, RuntimeError):
            self._path().parent.mkdir(parents=True, exist_ok=True)
            with replacing(self._path()) as hidden:
                hidden.write_bytes(_checksum(body) + b"\n" + body)


def _checked(kept: bytes) -> dict[str, object]:
    """The values in what `ParsedFiles.keep` wrote; none if it isn't that to the byte."""
    checksum, _, body = kept.partition(b"\n")
    values: dict[str, object] = json.loads(body, object_hook=_number) if checksum == _checksum(body) else {}
    return values


def _checksum(body: bytes) -> bytes:
    return sha256(FORMAT + body).hexdigest().encode()


def _plain(value: object) -> object:
    """A value as JSON has it, from which `_number` makes the same again.

    Raises:
        TypeError: JSON has no such value.
    """
    match value:
        case Figure():
            return {_FIGURE: str(value)}
        case dict() if all(type(key) is str and key != _FIGURE for key in value):
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case str() | int() | float() | None:
            return value
    raise TypeError(f"{value!r} is no value of JSON")


def _number(mapping: dict[str, object]) -> object:
    return Figure(str(mapping[_FIGURE])) if _FIGURE in mapping else mapping

"""Where the files lie that a metafile names: config, protocols and weights, each in its own metafile's folder."""

from __future__ import annotations

import dataclasses
import os
from functools import cache
from pathlib import Path

from densezoo.errors import ConfigError, MetafileError
from densezoo.index.metafile import Entry
from densezoo.paths import INDEX, ROOT
from densezoo.protocols import get_protocol
from densezoo.protocols.own import ENDINGS


def placed(entry: Entry, folder: Path) -> Entry:
    """An entry whose files are named wherever they are asked for, and whose own protocols by their contents.

    Files of a private model lie in its metafile's folder if that is an index itself, as a published one is, or else in
    the index's. Paths of densezoo's own, and those that aren't found there, are relative to ROOT.

    Args:
        entry: of a metafile.
        folder: of the index, resolved.

    Raises:
        MetafileError: a protocol's file that can't be read; a path that leaves the folder of an imported index.
    """
    if folder == _public_folder():
        return entry
    own = (ROOT / entry.metafile).parent
    imported = own != folder and (own / "model-index.yml").is_file()
    place = _Place(own if imported else folder, imported, entry.error_prefix)
    model = entry.model
    model = dataclasses.replace(
        model,
        config=place.file("Config", model.config),
        protocol=place.protocol("Protocol", model.protocol),
        weight_files=tuple(
            dataclasses.replace(source, path=place.file("Weight Files: Path", source.path))
            for source in model.weight_files
        ),
        results=tuple(
            dataclasses.replace(result, protocol=place.protocol("Results: Protocol", result.protocol))
            for result in model.results
        ),
    )
    return dataclasses.replace(entry, model=model)


@cache
def _public_folder() -> Path:
    return INDEX.resolve().parent


@dataclasses.dataclass(frozen=True)
class _Place:
    """A folder that an entry's files lie in.

    Args:
        folder: absolute.
        imported: whether it is another's index, which may name no file outside it.
        error_prefix: of the entry.
    """

    folder: Path
    imported: bool
    error_prefix: str

    def file(self, field: str, path: str | None) -> str | None:
        """A path: absolute where the file lies in the folder, else as it is, relative to ROOT.

        Raises:
            MetafileError: it leaves the folder of an imported index.
        """
        if path is None:
            return None
        if self.imported and (os.path.isabs(path) or os.path.normpath(path).split(os.sep)[0] == os.pardir):
            raise MetafileError(f"{self.error_prefix}: {field}: {path!r} leaves the folder of the index {self.folder}")
        return str(self.folder / path) if (self.folder / path).exists() else path

    def protocol(self, field: str, name: str | None) -> str | None:
        """The name of a protocol; of a file's, its name among its owner's own (`densezoo.protocols.own`).

        Raises:
            MetafileError: the file can't be read, or lies outside the folder of an imported index.
        """
        if name is None or not name.endswith(ENDINGS):
            return name
        path = self.folder / str(self.file(field, name))
        try:
            return get_protocol(str(path)).name
        except ConfigError as error:
            raise MetafileError(f"{self.error_prefix}: {field}: {error}") from None

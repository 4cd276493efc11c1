"""Convert a Torch7 file (.t7) of the authors' Lua code; the same as convert, which takes it too."""

from densezoo.commands.convert import main, make_parser, run

__all__ = ["main", "make_parser", "run"]

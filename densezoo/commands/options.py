"""What commands share: options, and errors as one message with exit status 1 (``--debug`` shows the traceback)."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from densezoo.backends.base import AUTO, BACKENDS
from densezoo.commands import values
from densezoo.commands.help_pages import HelpFormatter
from densezoo.errors import ConfigError, DensezooError
from densezoo.files import PLOT
from densezoo.formats.names import looks_like_a_file
from densezoo.imports import end_without_collection, import_mmengine
from densezoo.index.hub import find_prefixed
from densezoo.paths import PRIVATE, RESULTS, ROOT, results_folder
from densezoo.protocols.own import Changes
from densezoo.results.figures import THEMES

WORKERS = (
    "threads that decode and compute with backend native (default: one a core), processes that decode with the others "
    "and in training (default: 2); 0: none but the main thread"
)
DEVICE = "such as cpu, cuda, cuda:1 (default: the GPU if there is one)"
PREPARED = "how pictures are prepared: a name, or a YAML file (default: the weights' own)"
SKIPPED = 3  # exit status: some pictures can't be read, and --skip-unreadable was given
LAUNCHERS = ("none", "pytorch", "slurm", "mpi")


class Parser(argparse.ArgumentParser):
    """A parser that reads ``--sort -top1`` as ``--sort=-top1``, where argparse takes the value for an option.

    Args:
        minus: options whose value may begin with a minus.
        forms: takes the options for the form of the output, of which one may be given: ``--json`` and a command's own.
    """

    minus: tuple[str, ...] = ()

    @functools.cached_property
    def forms(self) -> argparse._MutuallyExclusiveGroup:
        """The group of those options."""
        return self.add_mutually_exclusive_group()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # argparse's own overloads need Any
        """As argparse does, after each such option is joined with its value."""
        joined: list[str] = []
        for argument in sys.argv[1:] if args is None else args:
            if joined and joined[-1] in self.minus and re.match("-[a-z]", argument):
                joined[-1] += f"={argument}"
            else:
                joined.append(argument)
        return super().parse_known_args(joined, namespace)


def make_parser(description: str | None) -> Parser:
    """A parser with the options of every command: ``--debug``, ``--index``, ``--json`` and ``--quiet``.

    Args:
        description: shown by ``--help``.
    """
    parser = Parser(description=description, formatter_class=HelpFormatter)
    parser.add_argument(
        "--index",
        dest="private_index",
        type=Path,
        metavar="FILE",
        help=f"a private index beside densezoo's, or {PRIVATE}",
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.forms.add_argument("--json", action="store_true", help="print one JSON document")
    parser.forms.add_argument("--quiet", action="store_true", help="print nothing; the exit status says how it went")
    return parser


def add_run_options(to: argparse.ArgumentParser) -> None:
    """Add the options of every command that runs a config."""
    to.add_argument("--data-root", type=Path, help="folder or tar of the dataset")
    to.add_argument("--workers", type=values.count, help=WORKERS)
    to.add_argument("--device", help=DEVICE)
    to.add_argument("--launcher", choices=LAUNCHERS, help="what started several processes (default: recognised)")
    to.add_argument("--local-rank", type=int, help=argparse.SUPPRESS)  # passed by old versions of torch's launcher
    add_cfg_options(to)


def add_cfg_options(to: argparse.ArgumentParser) -> None:
    """Add the option that overrides fields of a config."""
    _add_key_values(to, "--cfg-options", "override fields of the config")


def _add_key_values(to: argparse.ArgumentParser, option: str, of: str) -> None:
    to.add_argument(option, nargs="+", type=values.key_value, action=KeyValues, metavar="KEY=VALUE", help=of)


def add_evaluation_options(to: argparse.ArgumentParser) -> None:
    """Add the options of every command that measures."""
    to.add_argument(
        "--batch-size", type=values.positive, default=64, help="images a step and process (default: %(default)s)"
    )
    to.add_argument("--out", type=Path, default=RESULTS, help="folder of results (default: %(default)s)")
    add_backend_options(to)
    add_limit(to, "only N images of the dataset, evenly spaced over its classes; nothing is stored")
    to.add_argument("--tta", help="sum the logits of several views of each image: flip, ten-crop, multi-size")


def add_backend_options(to: argparse.ArgumentParser) -> None:
    """Add the options of every command that runs a network."""
    names = ", ".join([AUTO, *BACKENDS])
    to.add_argument("--backend", default=AUTO, help=f"what computes the logits: {names} (default: %(default)s)")
    to.add_argument("--precision", default="float32", help="such as bf16, if the backend has it (default: %(default)s)")


def add_model(to: argparse.ArgumentParser) -> None:
    """Add the model of every command that runs a network on pictures."""
    to.add_argument(
        "model",
        metavar="MODEL",
        help="name of the index; a checkpoint that says what it holds; hf-hub:OWNER/NAME; or CONFIG.py CHECKPOINT",
    )


def add_images(to: argparse.ArgumentParser) -> None:
    """Add the pictures of every command that runs a network on them."""
    to.add_argument(
        "images", nargs="+", metavar="IMAGE", help="file, folder, tar, quoted pattern, URL; -: standard input"
    )
    to.add_argument("--skip-unreadable", action="store_true", help="name pictures that can't be read, and go on")
    add_limit(to, "only N of the pictures, evenly spaced")


def add_network_options(to: argparse.ArgumentParser) -> None:
    """Add the options of every command that runs a network on pictures."""
    to.add_argument("--protocol", help=PREPARED)
    add_protocol_changes(to)
    to.add_argument("--batch-size", type=values.positive, default=64, help="pictures a step (default: %(default)s)")
    add_backend_options(to)
    to.add_argument("--workers", type=values.count, help=WORKERS)
    to.add_argument("--device", help=DEVICE)
    add_cfg_options(to)


def add_limit(to: argparse.ArgumentParser, of: str) -> None:
    """Add the option of every command that can do with a sample of the images.

    Args:
        of: what is limited, and what becomes of it.
    """
    to.add_argument("--limit", type=values.positive, metavar="N", help=of)


def add_statements(to: argparse.ArgumentParser) -> None:
    """Add ``--options``, by which a user states what a file of weights doesn't."""
    _add_key_values(to, "--options", "what the file doesn't say: bn_eps=1e-5")


def add_class_names(to: argparse.ArgumentParser) -> None:
    """Add the option of every command that shows names of classes."""
    to.add_argument(
        "--class-names", metavar="NAMES", help="file of a name a line, folder of class folders, or a dataset's name"
    )


def add_theme(to: argparse.ArgumentParser) -> None:
    """Add the option of every command that draws a diagram."""
    to.add_argument("--theme", choices=THEMES, default="light", help="of the diagram (default: %(default)s)")


def add_diagram(to: argparse.ArgumentParser, default: str) -> None:
    """Add the options of every command that writes one diagram.

    Args:
        default: name of the file.
    """
    to.add_argument(
        "--out", "-o", type=Path, metavar="FILE", default=Path(default), help=f"{', '.join(PLOT)} (default: {default})"
    )
    add_theme(to)


def split_model(model: str, rest: Sequence[str]) -> tuple[str, str | None, Sequence[str]]:
    """(model, checkpoint, what comes after them) of ``MODEL REST...`` or ``CONFIG.py CHECKPOINT REST...``.

    Args:
        model, rest: as they are parsed.

    Raises:
        ConfigError: nothing comes after a config's checkpoint; the config comes after the checkpoint.
    """
    if not model.endswith(".py"):
        if rest[0].endswith(".py"):
            raise ConfigError(f"config and checkpoint are swapped: expected {rest[0]} {model}, the config first")
        return model, None, rest
    if len(rest) < 2:
        raise ConfigError(f"expected a checkpoint and then pictures after the config {model}; found {' '.join(rest)}")
    return str(find_config(Path(model))), rest[0], rest[1:]


def find_weights(given: Path) -> tuple[Path, str | None]:
    """(the file of weights, the name of the model of the index if one was given); what is named is fetched.

    Args:
        given: a file, a name of the index, or one with a prefix (`densezoo.index.hub`).

    Raises:
        UnknownNameError: neither such a file nor such a model.
    """
    prefixed = None if given.exists() else find_prefixed(str(given))
    if given.exists() or prefixed or looks_like_a_file(str(given)):
        return prefixed or given, None
    from densezoo import api

    return api.fetch_weights(str(given)), str(given)


def add_protocol_changes(to: argparse.ArgumentParser) -> None:
    """Add the options that change fields of the protocol, in the words of timm's scripts."""
    to.add_argument("--mean", type=values.numbers, metavar="M[,M,M]", help="own mean a channel, of pixels in 0 to 1")
    to.add_argument("--std", type=values.numbers, metavar="S[,S,S]", help="own deviation a channel, the same")
    to.add_argument(
        "--img-size", type=values.positive, metavar="PIXELS", help="own side of the square the network gets"
    )
    to.add_argument("--in-chans", type=values.positive, metavar="N", help="3: RGB; 1: grey (with --mean and --std)")


def protocol_changes(args: argparse.Namespace) -> Changes:
    """What `add_protocol_changes`'s options say.

    Args:
        args: the parsed arguments.
    """
    return Changes(args.mean, args.std, args.img_size, args.in_chans)


class KeyValues(argparse.Action):
    """mmengine's DictAction, imported when the option is used: it takes 0.3 s."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Store {key: value}."""
        import_mmengine("mmengine.config").DictAction(self.option_strings, self.dest)(parser, namespace, values, option)


def find_config(path: Path) -> Path:
    """The path if it exists, else the same path in the repository, so that commands run from any folder.

    Args:
        path: of a config, such as ``configs/densenet121.py``.
    """
    return path if path.exists() or not (ROOT / path).exists() else ROOT / path


def run(
    command: Callable[[argparse.Namespace], int | None], parser: argparse.ArgumentParser, argv: Sequence[str] | None
) -> int:
    """Parse the arguments, run the command, print an error as one message on stderr; return the exit status.

    Args:
        command: takes the parsed arguments; its exit status, None for 0.
        parser: of `make_parser`, with the command's options.
        argv: the arguments; None: those of this process.
    """
    _escape_what_cant_be_printed()
    arguments = parser.parse_args(argv)
    if argv is None:
        end_without_collection()
    if arguments.private_index is not None:
        os.environ[PRIVATE] = str(arguments.private_index.expanduser().resolve())  # children inherit it
    if getattr(arguments, "out", None) == RESULTS:
        arguments.out = results_folder()
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # its warnings of lost connections are pages of C++ frames
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    try:
        with _silence() if arguments.quiet else contextlib.nullcontext():
            return command(arguments) or 0
    except DensezooError as error:
        if arguments.debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of the output, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that flushing at exit doesn't fail
    except KeyboardInterrupt as interruption:  # Ctrl-C, or SIGTERM
        print(": ".join(filter(None, ["interrupted", str(interruption)])), file=sys.stderr)
        return 128 + (signal.SIGTERM if isinstance(interruption, Terminated) else signal.SIGINT)
    return 0


def _escape_what_cant_be_printed() -> None:
    """Print what the terminal's encoding lacks as an escape, in place of ending with an error.

    Another way that the user chose (PYTHONIOENCODING) stays; bytes of a file's name that are no text stay as they are
    where the encoding is UTF-8, which has all else.
    """
    errors, encoding = getattr(sys.stdout, "errors", None), getattr(sys.stdout, "encoding", None) or ""
    lacks_nothing = errors == "surrogateescape" and encoding.lower().replace("-", "") == "utf8"
    if errors in ("strict", "surrogateescape") and not lacks_nothing and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """What is printed on stdout goes nowhere."""
    with open(os.devnull, "w", encoding="utf-8", errors="replace") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


class Terminated(KeyboardInterrupt):
    """Raised at SIGTERM, with which batch systems and containers end a process; it ends as at Ctrl-C."""


def _terminate(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one ends it at once
    raise Terminated

"""Show which parts of a picture speak for a class: Grad-CAM, as a heat map.

densezoo explain densenet121.tv_in1k dog.jpg -o cam.png
densezoo explain densenet121.tv_in1k dog.jpg --class tabby --layer features.denseblock3
densezoo explain CONFIG.py CHECKPOINT dog.jpg
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from densezoo.commands import options
from densezoo.commands.output import answer
from densezoo.errors import ConfigError

#: Options that are arguments of the same name of `densezoo.explain`.
OPTIONS = ("protocol", "class_names", "device", "layer", "target")


def make_parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = options.make_parser(__doc__)
    options.add_model(parser)
    parser.add_argument("image", nargs="+", metavar="IMAGE", help="a file or a URL")
    parser.add_argument("--class", dest="target", metavar="NAME", help="or number (default: the most probable class)")
    parser.add_argument("--layer", metavar="NAME", help="whose maps are used (default: the last maps)")
    parser.add_argument("--protocol", help=options.PREPARED)
    options.add_protocol_changes(parser)
    options.add_class_names(parser)
    parser.add_argument("--device", help=options.DEVICE)
    options.add_diagram(parser, "explanation.png")
    return parser


def run(args: Namespace) -> None:
    """Explain, write the diagram, and print what it shows."""
    model, checkpoint, images = options.split_model(args.model, args.image)
    if len(images) != 1:
        raise ConfigError(f"expected one picture to explain, found {len(images)}: {' '.join(images)}")
    from densezoo.api.explanation import check_picture, explain  # here, because it imports torch

    check_picture(args.out, args.theme)
    given = {name: getattr(args, name) for name in OPTIONS}
    explanation = explain(model, images[0], checkpoint, changes=options.protocol_changes(args), workers=0, **given)
    explanation.save(args.out, args.theme)
    best = explanation.answer
    shown = f"{best.name} (class {best.label}), {100 * best.probability:.2f} %"
    data = {"image": explanation.image, "answer": best, "layer": explanation.layer, "written": args.out}
    answer(args, f"{explanation.image}: {shown}\nwritten: {args.out}", data)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return options.run(run, make_parser(), argv)

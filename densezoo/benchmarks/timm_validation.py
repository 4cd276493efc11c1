"""Evaluates a checkpoint as timm's ``validate.py`` does, which its wheel doesn't have: ``python -m`` this module.

Its steps, in its order and with its defaults, by timm's own functions: create_model, load_checkpoint, create_dataset,
create_loader with the prefetcher, one batch of noise to warm up, then batch by batch the logits, the mean loss, top-1
and top-5. Beside that it keeps each image's first class and writes them when the result has been printed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

import torch
from timm.data import create_dataset, create_loader, resolve_data_config
from timm.models import create_model, load_checkpoint
from timm.utils import AverageMeter, accuracy, random_seed

from densezoo.benchmarks.programs import AUTOCAST

DEFAULT_BATCH, DEFAULT_WORKERS = 256, 4  # of timm's validate.py


def make_parser() -> argparse.ArgumentParser:
    """The parser: the options of timm's script that are used here, by its names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="folder of class folders")
    parser.add_argument("--model", required=True)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--class-map", default="")
    parser.add_argument("--img-size", type=int)
    parser.add_argument("--crop-pct", type=float)
    parser.add_argument("--interpolation", default="")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("-b", "--batch-size", type=int, default=DEFAULT_BATCH)
    parser.add_argument("-j", "--workers", type=int, default=DEFAULT_WORKERS)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--amp-dtype", default="float32", help="computes under autocast: bf16, fp16")
    parser.add_argument("--predictions", help="file of {image: its first class}")
    return parser


@torch.inference_mode()
def validate(args: argparse.Namespace) -> dict[str, int]:
    """Evaluate; print the result as the last line; return {image: its first class}.

    Args:
        args: of `make_parser`.
    """
    random_seed(42)
    device = torch.device(args.device)
    model = create_model(args.model)
    load_checkpoint(model, args.checkpoint)
    config = resolve_data_config(vars(args), model=model, use_test_size=True)
    layout = torch.channels_last if args.channels_last else torch.contiguous_format
    model = model.to(device).to(memory_format=layout).eval()
    dataset = create_dataset(root=args.data, name="", split="validation", class_map=args.class_map)
    loader = create_loader(
        dataset,
        input_size=config["input_size"],
        batch_size=args.batch_size,
        interpolation=config["interpolation"],
        mean=config["mean"],
        std=config["std"],
        num_workers=args.workers,
        crop_pct=config["crop_pct"],
        crop_mode=config["crop_mode"],
        device=device,
    )
    losses, top1, top5, first = AverageMeter(), AverageMeter(), AverageMeter(), []
    kind = AUTOCAST.get(args.amp_dtype)
    with torch.autocast(device.type, kind or torch.bfloat16, enabled=kind is not None):
        model(torch.randn((args.batch_size, *config["input_size"]), device=device).contiguous(memory_format=layout))
        for images, target in loader:
            output = model(images.contiguous(memory_format=layout))
            loss = torch.nn.functional.cross_entropy(output, target)
            right1, right5 = accuracy(output, target, topk=(1, 5))
            losses.update(loss.item(), len(output))
            top1.update(right1.item(), len(output))
            top5.update(right5.item(), len(output))
            first += output.argmax(1).tolist()
    print(f" * Acc@1 {top1.avg:.3f} Acc@5 {top5.avg:.3f} Loss {losses.avg:.4f}")  # noqa: T201
    return dict(zip(dataset.filenames(), first))


def main(argv: Sequence[str] | None = None) -> None:
    """Evaluate and write the predictions.

    Args:
        argv: the arguments; None: those of this process.
    """
    args = make_parser().parse_args(argv)
    predictions = validate(args)
    if args.predictions:
        with open(args.predictions, "w", encoding="utf-8") as file:
            json.dump(predictions, file)


if __name__ == "__main__":
    main()

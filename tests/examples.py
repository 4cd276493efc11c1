"""Things that several tests take as given."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from densezoo.data.contents import VerifiedImages, content_digests, verified
from densezoo.data.images import ArrayImages
from densezoo.evaluation.metrics import RECORD, Counts, Records, measure, score
from densezoo.types import Benchmark, Contestant, EvalResult, Latency, Load, Machine, RunFacts
from densezoo.types.benchmark import ITS_OWN


def randomise_statistics(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Norms that do something: fresh ones are almost the identity, and a swapped one would not be seen."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            for tensor in (module.weight.data, module.running_var):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
            for tensor in (module.bias.data, module.running_mean):
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.1)
    return model.eval()


def example_result(**values: Any) -> EvalResult:
    """A result with every field; ``values`` replaces some, and a count or its percentage brings the other with it."""
    total = values.get("num_samples", 50000)
    for top, correct in (("top1", "correct1"), ("top5", "correct5")):
        if top in values:
            values.setdefault(correct, round(values[top] * total / 100))
        elif correct in values:
            values[top] = 100 * values[correct] / total
    given = {
        "model": "densenet121.tv_in1k",
        "config": "configs/densenet121.py",
        "weights_sha256": "a639ec97" + "0" * 56,
        "dataset": "imagenet1k",
        "dataset_fingerprint": "f" * 64,
        "protocol": "torchvision",
        "num_samples": 50000,
        "correct1": 37217,
        "correct5": 45986,
        "top1": 74.434,
        "top5": 91.972,
        "interval95": (74.05, 74.81),
        "interval95_top5": (91.73, 92.21),
        "backend": "eager",
        "precision": "float32",
        "device": "cpu",
        "versions": {"torch": "2.15.0"},
        "commit": None,
        "date": "2026-11-20T19:00:00+00:00",
        "seconds": 1234.5,
    }
    return EvalResult(**{**given, **values})


def example_facts(**values: object) -> RunFacts:
    """What is known of the run that has `example_result`."""
    result = example_result(**values)
    return RunFacts(**{field.name: getattr(result, field.name) for field in dataclasses.fields(RunFacts)})


def count(logits: torch.Tensor, labels: torch.Tensor, classes: Sequence[int] | None = None) -> Counts:
    """The counts of one batch."""
    records = score(logits, labels, torch.arange(len(labels)), classes=classes)
    return measure([records], logits.shape[1], len(labels))[0].counts()


def example_images(number: int) -> VerifiedImages:
    """That many images of one pixel, its value the index, with ids a, b, c, ... and labels 0."""
    pixels = np.arange(number, dtype=np.uint8).reshape(-1, 1, 1)
    images = ArrayImages("examples", [chr(97 + i) for i in range(number)], [0] * number, pixels)
    return verified(images, content_digests(images))


def records_of(confidences: Sequence[float], ranks: Sequence[int]) -> Records:
    """Records of label 0 over two classes, with these confidences of the class that comes first."""
    records = np.zeros(len(confidences), RECORD)
    records["index"], records["rank"] = range(len(confidences)), ranks
    records["classes"][:, 0] = [int(rank > 0) for rank in ranks]
    records["probabilities"][:, 0] = confidences
    return records


def same(found: object, expected: dict[str, torch.Tensor]) -> bool:
    """Whether these are the tensors that are expected, to the last bit, under the same names."""
    assert isinstance(found, dict)
    return found.keys() == expected.keys() and all(torch.equal(found[k], v) for k, v in expected.items())


#: What a model of a metafile may have: the URL of its weights, that file, a published result.
URL = "https://example.org/f.pth"
FILE = {"URL": URL, "Framework": "torch", "Format": "pickle"}
RESULT = {"Task": "t", "Dataset": "d", "Protocol": "timm", "Metrics": {"Top 1 Accuracy": 1.0}, "Published By": "p"}


def write_index(folder: Path, **changes: object) -> Path:
    """An index of one metafile with one model; ``changes`` replace its fields, None leaves one out."""
    model: dict[str, object] = {
        "Name": "densenet121.mine",
        "In Collection": "mine",
        "Config": "configs/densenet121.py",
        "Protocol": "torchvision",
        "Metadata": {"Parameters": 7978856, "Image Size": 224, "FLOPs": 1},
    }
    collection = {"Name": "mine", "Paper": {"URL": "https://example.org"}, "Code": {"URL": "https://example.org"}}
    model = {key: value for key, value in {**model, **changes}.items() if value is not None}
    (folder / "mine.yml").write_text(yaml.safe_dump({"Collections": [collection], "Models": [model]}))
    (folder / "model-index.yml").write_text("Import: [mine.yml]\n")
    return folder / "model-index.yml"


def unheld_benchmark() -> Benchmark:
    """A run that was held to AVX2 on a machine with AVX-512, beside ONNX Runtime, which can't be held to it."""
    benchmark = example_benchmark()
    free = dataclasses.replace(benchmark.contestants[1], name="onnxruntime", instruction_set=ITS_OWN)
    return dataclasses.replace(benchmark, contestants=(*benchmark.contestants, free))


def example_benchmark(**changes: object) -> Benchmark:
    """A run of three rounds, in which timm was measured and mmpretrain was not.

    Args:
        changes: fields that differ.
    """
    own = Contestant(
        name="densezoo native",
        instruction_set="avx2",
        rates={"1": (20.0, 21.0, 19.0), "4": (40.0, 42.0, 38.0)},
        latency=Latency(0.05, 0.06, 0.07, 100),
        peak_memory=300 * 2**20,
        error=1.6e-6,
    )
    theirs = Contestant(name="timm", instruction_set="avx2", rates={"4": (10.0, 14.0, 8.0)}, error=0.0)
    absent = Contestant(name="mmpretrain", instruction_set="avx2", rates={}, not_measured="it is not installed")
    values: dict[str, Any] = {
        "what": "inference",
        "model": "densenet121",
        "instruction_set": "avx2",
        "device": "cpu",
        "threads": 2,
        "image_size": 224,
        "multiply_adds": 2_834_161_664,
        "products": (1_500_000_000, 400_000_000),
        "ceilings": {"float32": (8.5e10, 8.5e10, 8.5e10), "fma": (8.6e10, 8.6e10, 8.6e10)},
        "contestants": (own, theirs, absent),
        "machine": Machine("AMD EPYC", 2, ("avx2", "avx512"), {"L1d": 32768, "L2": 2**20}, 24 * 2**30),
        "load": Load(0.5, 0.25),
        "versions": {"torch": "2.15.0", "timm": "1.0.31"},
        "commit": None,
        "date": "2026-11-22T00:00:00+00:00",
        "command": "densezoo benchmark densenet121",
    }
    return Benchmark(**{**values, **changes})

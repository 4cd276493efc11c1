"""torchvision's DenseNet as other people write it: the same function in other words, and almost the same function."""

from __future__ import annotations

import functools
import io
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
from examples import randomise_statistics
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import DenseNet

SMALL = {"growth_rate": 4, "block_config": (2, 2), "num_init_features": 8, "num_classes": 5}
IMAGES = torch.randn(2, 3, 65, 65, generator=torch.Generator().manual_seed(0))


class Changed(DenseNet):  # type: ignore[misc]  # torchvision has no types
    """torchvision's forward, with a place for something else after each of its steps."""

    def __init__(self) -> None:
        super().__init__(**SMALL)

    def forward(self, x: Tensor) -> Tensor:
        out = self.after_features(self.features(x))
        return self.after_all(self.classifier(self.pooled(out)))

    def after_features(self, x: Tensor) -> Tensor:
        return functional.relu(x, inplace=True)

    def pooled(self, x: Tensor) -> Tensor:
        return torch.flatten(functional.adaptive_avg_pool2d(x, (1, 1)), 1)

    def after_all(self, x: Tensor) -> Tensor:
        return x


class ByView(Changed):
    def pooled(self, x: Tensor) -> Tensor:
        return functional.adaptive_avg_pool2d(x, (1, 1)).view(x.size(0), -1)


class ByMean(Changed):
    def pooled(self, x: Tensor) -> Tensor:
        return x.mean([2, 3])


class OfAFixedSize(Changed):
    def pooled(self, x: Tensor) -> Tensor:
        return torch.flatten(functional.avg_pool2d(x, 8), 1)


class WithSoftmax(Changed):
    def after_all(self, x: Tensor) -> Tensor:
        return x if x.dim() == 4 else torch.softmax(x, 1)


class WithSoftmaxOverTheImages(Changed):
    def after_all(self, x: Tensor) -> Tensor:
        return torch.softmax(x, 0)


#: {what: how it is made}: the function is a DenseNet's.
SAME: dict[str, Callable[[], nn.Module]] = {
    "torchvision": lambda: DenseNet(**SMALL),
    "torchvision, memory_efficient": lambda: DenseNet(**SMALL, memory_efficient=True, drop_rate=0.2),
    "timm": lambda: timm.models.densenet.DenseNet(growth_rate=4, block_config=(2, 2), num_classes=5, drop_rate=0.3),
    "timm, deep": lambda: timm.models.densenet.DenseNet(
        growth_rate=4, block_config=(2, 2), num_classes=5, stem_type="deep"
    ),
    "by view": ByView,
    "by mean": ByMean,
    "of a fixed size": OfAFixedSize,
}


class NoLastReLU(Changed):
    def after_features(self, x: Tensor) -> Tensor:
        return x


class AnotherActivation(Changed):
    def after_features(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(x)


class MaxHead(Changed):
    def pooled(self, x: Tensor) -> Tensor:
        return torch.flatten(functional.adaptive_max_pool2d(x, (1, 1)), 1)


class Scaled(Changed):
    def after_features(self, x: Tensor) -> Tensor:
        return torch.relu(x * 0.5)


class ChangedInPlace(Changed):
    def after_features(self, x: Tensor) -> Tensor:
        y = torch.relu(x)
        y.mul_(2.0)
        return y


class DropsAtTestTime(Changed):
    def pooled(self, x: Tensor) -> Tensor:
        return functional.dropout(torch.flatten(functional.adaptive_avg_pool2d(x, (1, 1)), 1), 0.5, True)


class ChangesAWeight(Changed):
    def after_features(self, x: Tensor) -> Tensor:
        self.classifier.weight.mul_(2.0)
        return torch.relu(x)


class ComputesAWeight(Changed):
    def after_all(self, x: Tensor) -> Tensor:
        return x

    def forward(self, x: Tensor) -> Tensor:
        out = self.pooled(torch.relu(self.features(x)))
        return functional.linear(out, self.classifier.weight * 2.0, self.classifier.bias)


class ByTheImage(Changed):
    def after_features(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            return torch.relu(x)
        return x


class SeesAnInPlaceReLU(Changed):
    """The view is taken before the ReLU that changes what it sees."""

    def forward(self, x: Tensor) -> Tensor:
        pooled = functional.adaptive_avg_pool2d(torch.relu(self.features(x)), (1, 1))
        flat = torch.flatten(pooled, 1)
        pooled.mul_(0.5)
        logits: Tensor = self.classifier(flat)
        return logits


class AddsWithFactors(Changed):
    def forward(self, x: Tensor) -> Tensor:
        out, last = self.pooled(torch.relu(self.features(x))), self.classifier
        return torch.addmm(last.bias, out, last.weight.t(), beta=2.0, alpha=0.5)


class Replaced(Changed):
    """Another first convolution and norm, of the same weights."""

    def conv(self, x: Tensor) -> Tensor:
        out: Tensor = self.features.conv0(x)
        return out

    def norm(self, x: Tensor) -> Tensor:
        out: Tensor = self.features.norm0(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        parts = self.features
        x = parts.pool0(torch.relu(self.norm(self.conv(x))))
        x = parts.denseblock2(parts.transition1(parts.denseblock1(x)))
        logits: Tensor = self.classifier(self.pooled(torch.relu(parts.norm5(x))))
        return logits


class TransposedKernel(Replaced):
    def conv(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.features.conv0.weight.transpose(2, 3), None, [2, 2], [3, 3])


class BorrowedBias(Replaced):
    def conv(self, x: Tensor) -> Tensor:
        parts = self.features
        return functional.conv2d(x, parts.conv0.weight, parts.norm0.running_mean, [2, 2], [3, 3])


class SwappedWeights(Replaced):
    def norm(self, x: Tensor) -> Tensor:
        norm = self.features.norm0
        return functional.batch_norm(x, norm.running_mean, norm.running_var, norm.bias, norm.weight, False, 0.1, 1e-5)


class ChangesStatistics(Replaced):
    def norm(self, x: Tensor) -> Tensor:
        norm = self.features.norm0
        torch.batch_norm(x, None, None, norm.running_mean, norm.running_var, True, 0.5, 1e-5, False)
        out: Tensor = norm(x)
        return out


class ChangesAPart(Changed):
    def after_features(self, x: Tensor) -> Tensor:
        out = torch.relu(x)
        out[:, 0] = 0.0
        return out


class TransposedRows(Changed):
    def after_all(self, x: Tensor) -> Tensor:
        return x.view(x.size(1), x.size(0))


class OneRow(Changed):
    def after_all(self, x: Tensor) -> Tensor:
        return torch.flatten(x)


class ByRank(Changed):
    def pooled(self, x: Tensor) -> Tensor:
        out = x.mean([2, 3])
        return out if out.dim() == 4 else out * 2.0


class ByACounter(Changed):
    def after_features(self, x: Tensor) -> Tensor:
        out = torch.relu(x)
        return out if bool(self.features.norm0.num_batches_tracked) else out * 0.5


def square_transposed() -> nn.Module:
    """A classifier of as many classes as features, whose weight is taken transposed."""

    class Turned(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            return functional.linear(input, self.weight.t(), self.bias)

    model: nn.Module = DenseNet(**SMALL)
    model.classifier = Turned(16, 16)
    return model


def other_order() -> nn.Module:
    """The features of a block joined back to front, in the second layer of the first block alone."""
    model: nn.Module = DenseNet(**SMALL)
    layer = model.get_submodule("features.denseblock1.denselayer2")

    class Turned(type(layer)):  # type: ignore[misc]
        def forward(self, input: list[Tensor]) -> Any:
            return super().forward(input[::-1])

    layer.__class__ = Turned
    return model


def another_epsilon() -> nn.Module:
    model: nn.Module = DenseNet(**SMALL)
    norm = model.get_submodule("features.denseblock1.denselayer2.norm1")
    assert isinstance(norm, nn.BatchNorm2d)
    norm.eps = 1e-3
    return model


def crossed_weights() -> nn.Module:
    """Two convolutions of one shape, each under the other's name."""

    class Crossed(type(DenseNet(**SMALL).features.denseblock1)):  # type: ignore[misc]
        def forward(self, init_features: Tensor) -> Tensor:
            first, second = self.denselayer1, self.denselayer2
            one = second.conv2(second.relu2(second.norm2(first.bn_function([init_features]))))
            two = first.conv2(first.relu2(first.norm2(second.bn_function([init_features, one]))))
            return torch.cat([init_features, one, two], 1)

    model: nn.Module = DenseNet(**SMALL)
    model.get_submodule("features.denseblock1").__class__ = Crossed
    return model


#: {what: (how it is made, what the refusal says)}: the function is no DenseNet's.
OTHER: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "softmax over the images": (WithSoftmaxOverTheImages, "softmax over axis 0"),
    "no last ReLU": (NoLastReLU, "expected relu, found norm"),
    "another activation": (AnotherActivation, "expected relu, found leaky_relu"),
    "another pool": (MaxHead, "expected global_avg_pool or avg_pool, found adaptive_max_pool2d"),
    "a factor": (Scaled, "expected norm, found mul"),
    "a factor in place": (ChangedInPlace, "found mul_"),
    "dropout at test time": (DropsAtTestTime, "found dropout with train True"),
    "a weight that is computed": (ComputesAWeight, "found linear of values that are computed|expected linear"),
    "a view of what is changed": (SeesAnInPlaceReLU, "mul_ changes what other tensors see|found mul_"),
    "factors of a sum": (AddsWithFactors, "addmm with (alpha|beta)"),
    "a transposed kernel": (TransposedKernel, "_?conv(olution|2d) of values that are computed"),
    "a transposed weight": (square_transposed, "linear of values that are computed"),
    "another layer's bias": (BorrowedBias, "features.conv0 takes features.conv0.weight, features.norm0.running_mean"),
    "swapped weights": (SwappedWeights, "features.norm0 takes features.norm0.bias, features.norm0.weight"),
    "changed statistics": (ChangesStatistics, "batch_norm with training True, whose result is not used"),
    "a part that is changed": (ChangesAPart, "(slice|select|lift_fresh_copy), whose result is not used"),
    "rows of images": (TransposedRows, "expected a row of logits for each image|found view of another shape"),
    "one row": (OneRow, "found flatten of 0 to -1"),
    "another function by rank": (ByRank, "found mul"),
    "another order": (other_order, "to join all before it in order"),
    "another epsilon": (another_epsilon, "expected one bn_eps for all"),
    "crossed weights": (crossed_weights, "by its names it should take features.denseblock1.denselayer"),
}


def script(path: Path, model: nn.Module) -> Path:
    """Its scripted module as a file."""
    torch.jit.script(randomise_statistics(model)).save(str(path))  # type: ignore[no-untyped-call]  # torch's
    return path


def trace(path: Path, model: nn.Module, training: bool = False) -> Path:
    """Its traced module as a file, traced in evaluation or in training mode."""
    model = randomise_statistics(model).train(training)
    traced = torch.jit.trace(model, IMAGES, check_trace=False)  # type: ignore[no-untyped-call]
    traced.save(str(path))
    return path


@functools.cache
def _scripted() -> bytes:
    """The file of a scripted network, made once."""
    with tempfile.TemporaryDirectory() as folder:
        return script(Path(folder, "m.pt"), Changed()).read_bytes()


def with_forward(path: Path, body: str) -> Path:
    """A scripted network whose forward's code is another text."""
    with zipfile.ZipFile(io.BytesIO(_scripted())) as archive, zipfile.ZipFile(path, "w") as changed:
        for name in archive.namelist():
            content = archive.read(name)
            if b"class Changed(" in content:
                head, _, rest = content.partition(b"x: Tensor) -> Tensor:\n")
                content = head + b"x: Tensor) -> Tensor:\n    " + body.encode() + b"\n" + rest
            changed.writestr(name, content)
    return path

"""What Torch7 computes with a tree of modules in evaluation, after the ``updateOutput`` of each class.

Independent of densezoo.formats: networks are run as they were written, and compared with what was read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch7_writer import Obj, Ten


def values(tensor: Ten | None) -> Tensor | None:
    if tensor is None:
        return None
    flat = tensor.storage.values[tensor.offset :]
    strides = [stride * flat.itemsize for stride in tensor.stride]
    return torch.from_numpy(np.lib.stride_tricks.as_strided(flat, tensor.size, strides).astype("f8"))


def run(module: Obj, x: Any) -> Any:
    """Double precision."""
    fields, name = module.fields, module.class_name.partition(".")[2]
    if name == "Identity":
        return x
    if name in ("Sequential", "DataParallelTable"):
        for child in fields["modules"]:
            x = run(child, x)
        return x
    if name == "Concat":
        return torch.cat([run(child, x) for child in fields["modules"]], fields["dimension"] - 1)
    if name == "DenseConnectLayerCustom":
        features = x if isinstance(x, list) else [x]
        return [*features, run(fields["net2"], run(fields["net1"], torch.cat(features, 1)))]
    if name == "JoinTable":
        return torch.cat(x, fields["dimension"] - 1)
    if name == "ReLU":
        return x.relu()
    if name == "Dropout":
        return x if fields.get("v2") else x * (1 - fields["p"])
    if name in ("SpatialConvolution", "SpatialConvolutionMM"):
        weight = values(fields["weight"])
        assert weight is not None
        weight = weight.reshape(fields["nOutputPlane"], fields["nInputPlane"], fields["kH"], fields["kW"])
        step, padding = (fields["dH"], fields["dW"]), (fields["padH"], fields["padW"])
        return functional.conv2d(x, weight, values(fields.get("bias")), step, padding)
    if name == "SpatialBatchNormalization":
        return normalise(module, x)
    if name in ("SpatialMaxPooling", "SpatialAveragePooling"):
        kernel, stride, padding = ((fields[f"{letter}H"], fields[f"{letter}W"]) for letter in ("k", "d", "pad"))
        if name == "SpatialMaxPooling":
            return functional.max_pool2d(x, kernel, stride, padding, ceil_mode=fields["ceil_mode"])
        return functional.avg_pool2d(x, kernel, stride, padding, ceil_mode=fields["ceil_mode"])
    if name == "Reshape":
        return x.reshape(len(x), *fields["size"].values.tolist())
    if name == "Linear":
        weight = values(fields["weight"])
        assert weight is not None
        return functional.linear(x, weight, values(fields.get("bias")))
    raise NotImplementedError(name)


def normalise(module: Obj, x: Tensor) -> Tensor:
    fields = module.fields
    mean, weight, bias = (values(fields.get(name)) for name in ("running_mean", "weight", "bias"))
    if module.version == 1 and "running_std" in fields:
        std = values(fields["running_std"])
        assert std is not None
        variance = std**-2 - fields["eps"]
    else:
        variance = values(fields["running_var"])
    return functional.batch_norm(x, mean, variance, weight, bias, eps=fields["eps"])

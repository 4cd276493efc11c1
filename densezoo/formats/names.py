"""What the formats of checkpoint files are called and how their files end, for help pages. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """A format that densezoo reads; a file is recognised by its content, whatever it is called.

    Args:
        title: as a person calls it.
        extensions: how its files usually end.
        readers: names of the functions that `densezoo.formats.detect` reads it with.
    """

    title: str
    extensions: tuple[str, ...]
    readers: tuple[str, ...]


FORMATS = (
    Format("PyTorch", (".pth", ".pt", ".pth.tar", ".bin"), ("read_zip", "read_legacy")),
    Format("safetensors", (".safetensors",), ("read_safetensors",)),
    Format("TorchScript", (".pt",), ("read_torchscript",)),
    Format("torch.export", (".pt2",), ("read_torchexport",)),
    Format("Torch7", (".t7",), ("read_torch7",)),
    Format("Keras", (".h5", ".weights.h5", ".keras"), ("read_h5", "read_keras")),
    Format("Caffe", (".caffemodel",), ("read_caffe",)),
    Format("Caffe2", (".pb",), ("read_caffe2",)),
    Format("TensorFlow", (".index", ".data-00000-of-00001"), ("read_bundle",)),
    Format("MXNet", (".params",), ("read_mxnet",)),
    Format("MindSpore", (".ckpt",), ("read_mindspore",)),
    Format("Paddle", (".pdparams",), ("read_paddle",)),
    Format("OneFlow", (".zip",), ("read_oneflow",)),
    Format("NumPy", (".npz",), ("read_npz",)),
    Format("ONNX", (".onnx",), ("read_onnx",)),
)


def formats_read() -> str:
    """All formats in a line: "PyTorch (.pth, .pt, .pth.tar, .bin), safetensors, ...".

    An only extension that is the format's name is not repeated.
    """
    plain = [each.extensions == (f".{each.title.lower()}",) for each in FORMATS]
    return ", ".join(
        each.title if same else f"{each.title} ({', '.join(each.extensions)})" for each, same in zip(FORMATS, plain)
    )


def looks_like_a_file(name: str) -> bool:
    """Whether a name is a path's, or ends as checkpoint files do.

    Args:
        name: as a user typed it.
    """
    ends = tuple(end for each in FORMATS for end in each.extensions)
    return "/" in name or name.lower().endswith(ends)

"""Our own engine for convolutional networks on x86-64 processors: exact float32, one thread a call.

`lowering` turns a family's computation into the steps of a program for one image size, `packing` its weights into the
order in which the kernels read them, `library` calls the kernels, which `csrc/` has in C++ and `build` compiles.
"""

from densezoo.backends.native.backend import NativeBackend

__all__ = ["NativeBackend"]

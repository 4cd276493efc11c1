"""Dense blocks as kernels written in Triton, for NVIDIA's GPUs of compute capability 8.0 or more."""

"""One evaluation in several processes: start them, share the images out, add the counts up."""

from __future__ import annotations

import os

import torch
from mmengine import dist

from densezoo.errors import EvaluationError
from densezoo.evaluation.metrics import Counts

#: {launcher: the environment variables in which it tells a process its rank and how many there are}.
_VARIABLES = {
    "pytorch": ("RANK", "WORLD_SIZE"),
    "slurm": ("SLURM_PROCID", "SLURM_NTASKS"),
    "mpi": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
}


def start(launcher: str, device: str) -> None:
    """Join the processes that a launcher started; does nothing for "none".

    Raises:
        EvaluationError: this process was not started by that launcher.
    """
    if launcher == "none" or dist.is_distributed():
        return
    rank, world_size = (os.environ.get(name) for name in _VARIABLES[launcher])
    if rank is None or world_size is None:
        raise EvaluationError(
            f"--launcher {launcher}: {' and '.join(_VARIABLES[launcher])} are not set; start the processes with "
            f"{ {'pytorch': 'torchrun --nproc-per-node N tools/...', 'slurm': 'srun', 'mpi': 'mpirun'}[launcher] }"
        )
    if device.startswith("cuda"):
        dist.init_dist(launcher, backend="nccl")
    else:  # mmengine 0.10.7 picks a GPU for every process, also where there is none
        torch.distributed.init_process_group("gloo", rank=int(rank), world_size=int(world_size))


def is_main() -> bool:
    """Whether this process is the one that prints and stores."""
    return bool(dist.is_main_process())


def shard(num_images: int) -> range:
    """This process's images: every world_size-th from its rank on, so that none is padded or dropped."""
    return range(dist.get_rank(), num_images, dist.get_world_size())


def reduce_counts(counts: Counts) -> Counts:
    """The sum over all processes, in each of them."""
    if dist.get_world_size() == 1:
        return counts
    numbers = torch.tensor([counts.num_samples, counts.correct1, counts.correct5], device=dist.get_comm_device())
    dist.all_reduce(numbers)
    return Counts(*numbers.tolist())

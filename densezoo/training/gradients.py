"""The mean of gradients over processes, to the same bits however they lie in memory.

DistributedDataParallel orders its buckets anew after a run's first step, and gloo's own sum adds the processes in an
order that depends on a number's place in the bucket. So a run of three processes or more that was gone on with would
be rounded otherwise than one that nothing disturbed.
"""

# No ``from __future__ import annotations``: torch looks at the hook's own.

import torch
from torch import Tensor
from torch.distributed import GradBucket, all_gather, all_to_all_single, get_world_size  # type: ignore[attr-defined]


def mean_over_processes(_: object, bucket: GradBucket) -> torch.futures.Future[Tensor]:
    """A hook of DistributedDataParallel's (its ``register_comm_hook``): each gradient's mean; every process calls this.

    Args:
        bucket: gradients of this process.
    """
    done: torch.futures.Future[Tensor] = torch.futures.Future()
    done.set_result(mean(bucket.buffer()))
    return done


def mean(values: Tensor) -> Tensor:
    """The mean of a tensor over all processes, added up in the order of ranks; every process calls this.

    Each process adds up its share of the numbers, so that it sends and receives as much as in a ring.

    Args:
        values: (N,), of this process; as many and of the same type in all.
    """
    processes = get_world_size()
    padded = torch.nn.functional.pad(values, (0, -len(values) % processes))
    parts = torch.empty_like(padded)
    all_to_all_single(parts, padded)
    first, *others = parts.chunk(processes)
    for other in others:
        first += other
    all_gather([*padded.chunk(processes)], first / processes)
    return padded[: len(values)]

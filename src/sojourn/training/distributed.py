"""Several processes, one training: `torchrun --nproc-per-node 4 script.py` starts them, `train` does the rest.

Each process computes the objective on its share of the batch,

    first, count = distributed.share(256)                      # of process 3 of 4: 192, 64
    noise = draws.members(first).normal(step, count, shape)    # that of the members 192, ..., 255

and the gradients are averaged over the processes, so that with counter-based noise any number of processes trains the
same weights, to rounding. (PyTorch's own generators, as in dropout, are seeded differently in each.) torchrun's
environment variables tell the processes apart; GPUs talk through NCCL (put the model on `cuda:$LOCAL_RANK` before
training), CPUs through Gloo.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta

import torch
from torch import distributed as dist

from sojourn.errors import InputError


def place() -> tuple[int, int]:
    """This process's number and how many there are: (0, 1) outside torchrun."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def share(batch: int) -> tuple[int, int]:
    """(first, count): the members of a batch that this process computes; (0, batch) outside torchrun.

    Shares are equal, because the mean of the processes' means is then the batch's mean; InputError if they cannot be.
    """
    rank, size = place()
    if batch % size:
        raise InputError(f"batch={batch} cannot be shared equally by {size} processes; choose a multiple of {size}")
    return rank * (batch // size), batch // size


def join(device: torch.device) -> None:
    """Meets the other processes, if there are any and they have not met yet."""
    if place()[1] == 1 or dist.is_initialized():
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
        dist.init_process_group("nccl", device_id=device)
    else:
        dist.init_process_group("gloo")
    atexit.register(_part)


def _part() -> None:
    """At exit, when all are there: taking the group down while another process does has aborted one."""
    if dist.is_initialized():
        with suppress(RuntimeError):  # the others may have died
            dist.monitored_barrier(timeout=timedelta(seconds=20)) if dist.get_backend() == "gloo" else dist.barrier()
        dist.destroy_process_group()


def meet() -> None:
    """Waits for the other processes: what process 0 was writing is then written."""
    if place()[1] > 1:
        dist.barrier()


def average(parameters: Sequence[torch.nn.Parameter], loss: torch.Tensor) -> torch.Tensor:
    """Replaces every gradient by its mean over the processes, and returns the mean loss.

    One message holds all. A process without a gradient counts as zero; a gradient that none has stays None, as it
    would in one process.
    """
    _, size = place()
    if size == 1:
        return loss
    trained = [p for p in parameters if p.requires_grad]
    has = torch.tensor([float(p.grad is not None) for p in trained], device=loss.device)
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
    flat = torch.cat([loss.reshape(1), has, *(g.reshape(-1) for g in gradients)])
    dist.all_reduce(flat)
    mean, has, *pieces = flat.split([1, len(trained), *(g.numel() for g in gradients)])
    for parameter, gradient, piece, seen in zip(trained, gradients, pieces, has.tolist(), strict=True):
        parameter.grad = gradient.copy_(piece.view(gradient.shape)).div_(size) if seen else None
    return mean[0] / size


def equalise(tensors: Iterable[torch.Tensor]) -> None:
    """Gives every process the values of process 0, in place."""
    if place()[1] == 1:
        return
    for tensor in tensors:
        message = tensor.detach().contiguous()
        dist.broadcast(message, 0)
        tensor.detach().copy_(message)


def hand_out(data: bytes | None, device: torch.device) -> bytes | None:
    """What process 0 has, to every process; None is handed out too."""
    rank, size = place()
    if size == 1:
        return data
    length = torch.tensor([-1 if data is None else len(data)], device=device)
    equalise([length])
    if int(length) < 0:
        return None
    if rank or data is None:
        message = torch.empty(int(length), dtype=torch.uint8, device=device)
    else:
        message = torch.frombuffer(bytearray(data), dtype=torch.uint8).to(device)
    equalise([message])
    return message.cpu().numpy().tobytes()

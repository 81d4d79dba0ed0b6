"""Training by several processes, as ``torchrun`` starts them: each computes a share of every batch.

The shares' gradients are added up, so that all processes have the same parameters after each step,
up to rounding those of one process. Only the first one shows progress and writes files.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, distributed, nn

from .cli import process_count
from .errors import UserError

LOOPBACK = Path("/sys/class/net/lo")
"""Linux' network of a machine with itself."""


@dataclasses.dataclass(frozen=True)
class Processes:
    """Those that train together: this one's ``rank``, and how many there are."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, rows: Tensor) -> tuple[Tensor, float]:
        """This process' rows of a batch [rows, …], and their share of it.

        Raises UserError if there are fewer rows than processes.
        """
        if len(rows) < self.count:
            raise UserError(
                f"{len(rows)} windows of a batch are fewer than the {self.count} processes; "
                "choose a larger --batch, or fewer processes"
            )
        part = rows[self.rank :: self.count]
        return part, len(part) / len(rows)

    def add_up(self, loss: Tensor, parameters: Sequence[nn.Parameter]) -> float:
        """Add the gradients of all processes, in place; the sum of their losses."""
        if self.count == 1:
            return float(loss)
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([loss.reshape(1), *(gradient.flatten() for gradient in gradients)])
        distributed.all_reduce(flat)
        sizes = [1, *(gradient.numel() for gradient in gradients)]
        total, *sums = flat.split(sizes)
        for gradient, values in zip(gradients, sums, strict=True):
            gradient.copy_(values.view_as(gradient))
        return float(total)

    def any(self, condition: bool) -> bool:
        """Whether it is so in any process."""
        if self.count == 1:
            return condition
        flag = torch.tensor(float(condition))
        distributed.all_reduce(flag, distributed.ReduceOp.MAX)
        return bool(flag)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            distributed.barrier()


def processes() -> Processes:
    """Those that have joined; one alone if none has."""
    if not distributed.is_initialized():
        return Processes()
    return Processes(distributed.get_rank(), distributed.get_world_size())


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """With the other processes that torchrun has started, if it has."""
    if process_count() == 1:
        yield
        return
    if os.environ.get("LOCAL_WORLD_SIZE") == os.environ["WORLD_SIZE"] and LOOPBACK.exists():
        # all are here: they need no name of this machine that its network knows
        os.environ.setdefault("GLOO_SOCKET_IFNAME", LOOPBACK.name)
    distributed.init_process_group("gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()

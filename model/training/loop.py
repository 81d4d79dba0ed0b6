"""The training loop: deterministic, interruptible, resumable.

Batch k of a phase depends only on the seed and k, and a checkpoint holds everything else that
the next step needs, so a run that was interrupted gives the same model as one that was not.
"""

from __future__ import annotations

import ctypes
import dataclasses
import io
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..support.errors import UserError
from ..support.memory import require_memory
from ..support.processes import Processes, processes
from ..support.terminal import Terminal
from ..support.whole_file import write_whole
from .interruption import Interrupt
from .losses import History
from .step_memory import kept_bytes

BETAS = (0.9, 0.99)
MAX_GRADIENT_NORM = 1.0
WARMUP_FRACTION = 0.02
FINAL_LR_FRACTION = 0.01
EVALUATION_BATCH = 64

MALLOC_OPTIONS = {-3: 2**30, -1: 2**31 - 1, -2: 2**28}
"""glibc's M_MMAP_THRESHOLD, M_TRIM_THRESHOLD and M_TOP_PAD in bytes."""

Windows = tuple[Tensor, Tensor]
"""Inputs and targets, both int64 [windows, ctx_len]."""

LossFunction = Callable[[Tensor, Tensor], Tensor]
"""Scalar loss of tokens and targets, both int64 [batch, ctx_len]."""


class Interrupted(Exception):
    """Ctrl-C, or SIGTERM: ``step`` of ``steps`` are done and saved."""

    def __init__(self, phase: Phase, step: int):
        super().__init__(f"{phase.name}: stopped after step {step} of {phase.steps}")


@dataclasses.dataclass
class Phase:
    """One optimization from a start to an end.

    Parameters
    ----------
    name : str, shown with the progress
    model : nn.Module; its forward gives logits in nats
    loss : LossFunction, minimized
    groups : list of dict, AdamW's parameter groups; each has ``lr_scale``, a factor on ``lr``
    steps, batch : int
    lr : float, peak learning rate (linear warm-up, then a cosine down to 1 %)
    seed : int, chooses the batches
    checkpoint : Path
    save_every, validate_every : int, steps
    more : function of the step, optional: loss of further text, which counts like ``loss``; of
        several processes, this one's summand of it
    average : float, decay per step of the running mean of all parameters (exponential moving
        average) that is the result and is validated; 0: none, the last parameters are
    """

    name: str
    model: nn.Module
    loss: LossFunction
    groups: list[dict]
    steps: int
    batch: int
    lr: float
    seed: int
    checkpoint: Path
    save_every: int = 250
    validate_every: int = 250
    more: Callable[[int], Tensor] | None = None
    average: float = 0.0

    def lr_at(self, step: int) -> float:
        """Learning rate of step 0, 1, …"""
        warmup = max(1, round(WARMUP_FRACTION * self.steps))
        if step < warmup:
            return self.lr * (step + 1) / warmup
        cosine = 0.5 + 0.5 * math.cos(math.pi * (step - warmup) / max(1, self.steps - warmup))
        return self.lr * (FINAL_LR_FRACTION + (1 - FINAL_LR_FRACTION) * cosine)


def run_phase(phase: Phase, train_tokens: Tensor, validation: Windows) -> History:
    """Optimize ``phase.model`` in place, from its checkpoint if there is one.

    Parameters
    ----------
    train_tokens : int64 [n]
    validation : Windows, what the loss is reported on every ``validate_every`` steps

    Raises Interrupted after Ctrl-C, once the checkpoint is written.
    """
    ctx_len = validation[0].shape[1]
    window = sample_windows(train_tokens, ctx_len, 1, [phase.seed])
    needed = phase.batch * kept_bytes(phase.model, phase.loss, window)
    require_memory(needed, f"batch {phase.batch}: training", "choose a smaller --batch")
    team = processes()
    optimizer = torch.optim.AdamW(phase.groups, lr=phase.lr, betas=BETAS, fused=True)
    averaged = None
    if phase.average:
        averaged = AveragedModel(phase.model, multi_avg_fn=get_ema_multi_avg_fn(phase.average))
    result = averaged.module if averaged else phase.model
    step, history = _load_checkpoint(phase, optimizer, averaged)
    started = time.monotonic() - history.seconds
    with Interrupt() as interrupt, _progress(team.first) as progress:
        task = progress.add_task(phase.name, total=phase.steps, completed=step, loss=history.recent)
        while step < phase.steps:
            loss = _optimize(phase, optimizer, step, train_tokens, ctx_len, team)
            if not math.isfinite(loss):
                raise UserError(
                    f"{phase.name}: the loss is {loss} after step {step + 1}; choose a smaller "
                    "learning rate"
                )
            stop = team.any(interrupt.requested)
            if averaged:
                averaged.update_parameters(phase.model)
            step += 1
            history.train.append(loss)
            progress.update(task, completed=step, loss=history.recent)
            if team.first and (step % phase.validate_every == 0 or step == phase.steps):
                history.validation.append((step, evaluate(result, validation)))
                progress.console.print(_summary(phase, step, history))
            if step % phase.save_every == 0 or step == phase.steps or stop:
                history.seconds = time.monotonic() - started
                if team.first:
                    _save_checkpoint(phase, optimizer, averaged, step, history)
            if stop:
                raise Interrupted(phase, step)
    if averaged:
        phase.model.load_state_dict(averaged.module.state_dict())
    return history


def _optimize(
    phase: Phase, optimizer, step: int, tokens: Tensor, ctx_len: int, team: Processes
) -> float:
    for group in optimizer.param_groups:
        group["lr"] = phase.lr_at(step) * group["lr_scale"]
    window, share = team.share(sample_windows(tokens, ctx_len, phase.batch, [phase.seed, step]))
    phase.model.train()
    loss = phase.loss(window[:, :-1], window[:, 1:]) * share
    if phase.more is not None:
        loss = (loss + phase.more(step)) / 2
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    parameters = list(phase.model.parameters())
    total = team.add_up(loss.detach(), parameters)
    torch.nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT_NORM)
    optimizer.step()
    return total


def cross_entropy(model: nn.Module) -> LossFunction:
    """Mean cross entropy of the model's logits, in nats."""

    def loss(tokens: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten())

    return loss


def sample_windows(tokens: Tensor, ctx_len: int, count: int, seed: list[int]) -> Tensor:
    """``count`` windows [count, ctx_len + 1] at random places of ``tokens`` int64 [n]."""
    starts = np.random.default_rng(seed).integers(0, len(tokens) - ctx_len, count)
    return tokens[torch.from_numpy(starts)[:, None] + torch.arange(ctx_len + 1)]


@torch.no_grad()
def evaluate(model: nn.Module, windows: Windows) -> float:
    """Mean cross entropy in nats over all positions of ``windows``, in evaluation mode."""
    model.eval()
    total = 0.0
    for inputs, targets in zip(*(x.split(EVALUATION_BATCH) for x in windows), strict=True):
        logits = model(inputs).flatten(0, 1).double()
        total += float(F.cross_entropy(logits, targets.flatten(), reduction="sum"))
    return total / windows[1].numel()


def reuse_freed_memory():
    """Make glibc keep freed tensors instead of returning their pages to the system.

    Halves the time of a step: by default every large tensor is mapped, and zeroed, anew.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc: only slower
        return
    for option, value in MALLOC_OPTIONS.items():
        mallopt(option, value)


def _save_checkpoint(
    phase: Phase, optimizer, averaged: AveragedModel | None, step: int, history: History
):
    state = {
        "step": step,
        "model": phase.model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "history": dataclasses.asdict(history),
    }
    if averaged:
        state["averaged"] = averaged.state_dict()
    content = io.BytesIO()  # torch's own writer tells of a full disk by an error without a cause
    torch.save(state, content)
    write_whole(phase.checkpoint, content.getbuffer())


def _load_checkpoint(
    phase: Phase, optimizer, averaged: AveragedModel | None
) -> tuple[int, History]:
    if not phase.checkpoint.exists():
        return 0, History()
    try:
        state = torch.load(phase.checkpoint, weights_only=True)
        phase.model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        if averaged:
            averaged.load_state_dict(state["averaged"])
        step, history = state["step"], History(**state["history"])
        _check_progress(phase, step, history)
        return step, history
    except Exception as error:
        raise UserError(
            f"checkpoint {phase.checkpoint} cannot be read ({type(error).__name__}); "
            "delete it to start again"
        ) from error


def _check_progress(phase: Phase, step: int, history: History) -> None:
    """ValueError unless a checkpoint's numbers can be those of the phase."""
    losses = [*history.train, *(loss for _, loss in history.validation), history.seconds]
    numbers = all(type(loss) in (int, float) and math.isfinite(loss) for loss in losses)
    steps = [step, *(at for at, _ in history.validation)]
    whole = all(type(at) is int and 0 <= at <= phase.steps for at in steps)
    finite = all(parameter.isfinite().all() for parameter in phase.model.parameters())
    if not (numbers and whole and finite and len(history.train) == step):
        raise ValueError("numbers of another run")


def _summary(phase: Phase, step: int, history: History) -> str:
    return (
        f"{phase.name} step {step}/{phase.steps}: training loss {history.recent:.4f}, "
        f"validation loss (subset) {history.validation[-1][1]:.4f}"
    )


def _progress(shown: bool) -> Progress:
    """A bar on a terminal; where there is none, only the summaries that its console prints."""
    console = Terminal(stderr=True, soft_wrap=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not (shown and console.is_terminal),
    )

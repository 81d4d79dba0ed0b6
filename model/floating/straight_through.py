"""The integer contract in torch: :mod:`model.contract.arith` forward, straight-through gradients
backward.

All activations here are tensors of integers in float32. Every forward equals its namesake in
:mod:`model.contract.arith` exactly, because each result stays below the integers that its dtype
holds (:func:`exact_dtype`); every backward is that of the real-valued function that the integers
approximate, zero where the output saturates.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ..contract import arith
from ..support.numbers import FLOAT32_EXACT

FLOAT64_EXACT = 2**53


def exact_dtype(bound: int) -> torch.dtype:
    """Smallest float dtype that holds every integer up to ``bound``; ValueError if none does."""
    if bound <= FLOAT32_EXACT:
        return torch.float32
    if bound <= FLOAT64_EXACT:
        return torch.float64
    raise ValueError(f"bound must be at most 2**53, not {bound}")


def _round_shift_(value: Tensor, shift: int) -> Tensor:
    """``arith.round_shift`` in place; ``value`` + half must be exact in its dtype."""
    return value.mul_(2.0**-shift).add_(0.5).floor_() if shift else value


def _scale_and_round(value: Tensor, mult: Tensor, shift: int) -> Tensor:
    """``arith.round_shift(value * mult, shift)``, in one pass before the floor."""
    if not shift:
        return value * mult
    factor = (mult * 2.0**-shift).to(value.dtype)
    return torch.addcmul(value.new_tensor(0.5), value, factor).floor_()


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    def backward(ctx, grad):
        return grad


def quantize(x: Tensor, low: int, high: int) -> Tensor:
    """Nearest integer in low..high; the gradient passes where ``x`` is inside these limits."""
    return _Round.apply(F.hardtanh(x, low, high))


class _QuantizeWeight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight, step, low, high):
        in_steps = weight / step
        ctx.save_for_backward(in_steps, step)
        ctx.limits = low, high
        return in_steps.round().clamp_(low, high)

    @staticmethod
    def backward(ctx, grad):
        in_steps, step = ctx.saved_tensors
        grad = grad / step
        low, high = ctx.limits
        inside = (in_steps > low) & (in_steps < high)
        grad_step = -(grad * in_steps * inside).sum(-1, keepdim=True)
        return grad, grad_step, None, None


def quantize_weight(weight: Tensor, step: Tensor, low: int, high: int) -> Tensor:
    """Nearest of the integers low..high to ``weight / step``, [out, in] and [out, 1].

    The gradient of the weights passes everywhere, so that one beyond the limits can come back; that
    of the steps is :func:`quantize`'s.
    """
    return _QuantizeWeight.apply(weight, step, low, high)


class _Requantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, acc, mult, requantizer, dtype):
        out = _scale_and_round(acc.to(dtype), mult, requantizer.shift)
        out = out.clamp_(requantizer.low, requantizer.high).float()
        ctx.save_for_backward(acc, mult, out)
        ctx.requantizer = requantizer
        return out

    @staticmethod
    def backward(ctx, grad):
        acc, mult, out = ctx.saved_tensors
        scale = 2.0**-ctx.requantizer.shift
        grad = _zero_where_saturated(grad, out, ctx.requantizer.low, ctx.requantizer.high)
        grad_mult = (grad * acc).flatten(0, -2).sum(0) * scale
        return grad.mul_(mult * scale), grad_mult, None, None


def requantize(acc: Tensor, mult: Tensor, requantizer: arith.Requantizer, acc_bound: int) -> Tensor:
    """``requantizer(acc, mult)`` for accumulators [..., out] within ``acc_bound``."""
    bound = acc_bound * arith.MULT_MAX + arith.half(requantizer.shift)
    return _Requantize.apply(acc, mult, requantizer, exact_dtype(bound))


def _zero_where_saturated(grad: Tensor, out: Tensor, low: int, high: int) -> Tensor:
    """``grad`` where low < out < high, in one pass."""
    return torch.ops.aten.hardtanh_backward(grad, out, low, high)


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, gain, norm):
        exact = x.double()
        sum_of_squares = exact.square().sum(-1, keepdim=True)
        e, index = norm.exponent_and_index(sum_of_squares.numpy())
        factor = torch.from_numpy(norm.table[index] * 2.0**-e)
        u = exact.mul_(factor).add_(0.5).floor_().float()
        bound = norm.max_normalized * arith.ACT_MAX + arith.half(norm.shift)
        out = _scale_and_round(u.to(exact_dtype(bound)), gain, norm.shift)
        out = out.clamp_(-arith.ACT_MAX, arith.ACT_MAX).float()
        per_rms = 2**norm.FRAC_BITS * math.sqrt(norm.d_model)
        ctx.save_for_backward(u, gain, out, (per_rms / sum_of_squares.clamp(min=1).sqrt()).float())
        ctx.norm = norm
        return out

    @staticmethod
    def backward(ctx, grad):
        u, gain, out, u_per_x = ctx.saved_tensors
        scale = 2.0**-ctx.norm.shift
        grad = _zero_where_saturated(grad, out, -arith.ACT_MAX, arith.ACT_MAX)
        grad_gain = (grad * u).flatten(0, -2).sum(0) * scale
        grad_u = grad.mul_(gain * scale)
        x_hat = u * 2.0**-ctx.norm.FRAC_BITS
        along = (grad_u * x_hat).mean(-1, keepdim=True)
        return grad_u.addcmul_(x_hat, along, value=-1).mul_(u_per_x), grad_gain, None


def rms_norm(x: Tensor, gain: Tensor, norm: arith.RMSNorm) -> Tensor:
    """``norm(x, gain)`` of residual vectors [..., d_model]."""
    return _RMSNorm.apply(x, gain, norm)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, softmax, tap):
        length, head_dim = q.shape[-2:]
        dot_bound = head_dim * arith.ACT_MAX**2 + arith.half(softmax.shift)
        dtype = exact_dtype(dot_bound)
        scores = _round_shift_(q.to(dtype) @ k.to(dtype).transpose(-1, -2), softmax.shift)
        scores += torch.full((length, length), -math.inf, dtype=dtype).triu_(1)
        tap("scores", scores)
        distance = scores.amax(-1, keepdim=True) - scores
        distance = distance.clamp_(max=arith.EXP2.max_index).int()
        p = torch.from_numpy(arith.EXP2.table).float()[distance]
        tap("probabilities", p)
        dtype = exact_dtype(length * arith.EXP2.table[0].item() * arith.ACT_MAX)
        acc = (p.to(dtype) @ v.to(dtype)).double()
        total = p.sum(-1, keepdim=True, dtype=dtype)
        e, index = softmax.exponent_and_index(total.long().numpy())
        factor = torch.from_numpy(softmax.table[index] * 2.0 ** -(softmax.RECIPROCAL_BITS + e))
        out = acc.mul_(factor).add_(0.5).floor_().clamp_(-arith.ACT_MAX, arith.ACT_MAX).float()
        ctx.save_for_backward(q, k, v, p.div_(total.float()), out)
        ctx.nats_per_dot = math.log(2) * 2.0 ** -(arith.EXP2.FRAC_BITS + softmax.shift)
        return out

    @staticmethod
    def backward(ctx, grad):
        q, k, v, p, out = ctx.saved_tensors
        grad = _zero_where_saturated(grad, out, -arith.ACT_MAX, arith.ACT_MAX)
        grad_p = grad @ v.transpose(-1, -2)
        along = (grad * out).sum(-1, keepdim=True)
        grad_dot = grad_p.sub_(along).mul_(p)
        scale = ctx.nats_per_dot
        return (
            (grad_dot @ k).mul_(scale),
            (grad_dot.transpose(-1, -2) @ q).mul_(scale),
            p.transpose(-1, -2) @ grad,
            None,
            None,
        )


def attention(q: Tensor, k: Tensor, v: Tensor, softmax: arith.Softmax, tap) -> Tensor:
    """Causal attention of INT8 [batch, n_heads, positions, head_dim]; the same shape.

    ``tap(name, tensor)`` gets ``scores`` (-inf where masked) and ``probabilities``.
    """
    return _Attention.apply(q, k, v, softmax, tap)

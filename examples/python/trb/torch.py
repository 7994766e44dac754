"""libtrb for PyTorch: the loss for autograd, models as callbacks, blending while generating. Tensors are on the CPU."""

from __future__ import annotations

from typing import Any, Callable, Optional

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from . import blend as _blend
from . import loss as _loss
from .models import Model


class ReverseKL(torch.autograd.Function):
    """ReverseKL.apply(student, teacher, options): see reverse_kl()."""

    @staticmethod
    def forward(ctx, student, teacher, options):
        wanted = student.requires_grad
        loss, grad, _ = _loss.reverse_kl(student.detach(), teacher.detach(), grad=wanted, **options)
        if wanted:
            ctx.save_for_backward(grad)
        return torch.from_numpy(loss)

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        (grad,) = ctx.saved_tensors
        scale = upstream.float().unsqueeze(-1)  # a half has too few digits and too small a range for it
        return torch.mul(grad, scale, out=torch.empty_like(grad)), None, None


def reverse_kl(student: torch.Tensor, teacher: torch.Tensor, **options: Any) -> torch.Tensor:
    """KL(p||q) of every row, [...] in float64, for autograd: the gradient is exact, that of the student's logits alone,
    and of the student's type. It is kept from forward to backward, as much memory as the logits.

    options: form, support, k, ids of trb.reverse_kl(), and ctx"""
    return ReverseKL.apply(student, teacher.detach(), options)


class BlendProcessor:
    """A logits processor, such as `generate` of Hugging Face Transformers takes: scores become log mu, so that tokens are
    sampled from the blend.

    teacher(input_ids): the teacher's next-token logits [batch, vocab']
    budget: nats per token
    `blend` is that of the last step."""

    def __init__(self, teacher: Callable[[torch.Tensor], torch.Tensor], budget: float, **options: Any) -> None:
        self.teacher, self.budget, self.options = teacher, budget, options
        self.blend: Optional[np.recarray] = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            teacher = self.teacher(input_ids)
            blend = self.blend = _blend.solve(scores, teacher, self.budget, **self.options)
            return _blend.write_blend(scores, teacher, blend)


class CausalModel(Model):
    """A PyTorch model as a Model: module(tokens) gives logits [batch, length, vocab] of tokens [batch, length], those of
    a position from the tokens up to it alone. Shorter texts are padded with 0 at their ends. Nothing is cached.

    trained: of a student that train_step() trains: gradients are added to its parameters'"""

    def __init__(self, module: Callable[[torch.Tensor], torch.Tensor], vocab: int, *, trained: bool = False,
                 dtype: str = "float32", temperature: float = 1.0) -> None:
        super().__init__(self._forward, vocab, backward=self._backward if trained else None, dtype=dtype,
                         temperature=temperature)
        self.module, self.trained, self._logits = module, trained, None

    def _forward(self, queries, out):
        longest = max(len(query.tokens) for query in queries)
        tokens = torch.zeros(len(queries), longest, dtype=torch.int64)
        for row, query in zip(tokens, queries):
            row[:len(query.tokens)] = torch.from_numpy(query.tokens)
        with torch.set_grad_enabled(self.trained):
            logits = self.module(tokens)
            asked = [of[len(query.tokens) - query.rows:len(query.tokens)] for of, query in zip(logits, queries)]
            self._logits = torch.cat(asked)
        self._memory(out).copy_(self._logits.detach())

    def _backward(self, queries, grad):
        self._logits.backward(self._memory(grad).to(self._logits.dtype))
        self._logits = None

    @staticmethod
    def _memory(array):
        """A tensor of the library's memory."""
        tensor = torch.from_numpy(array.view("int16") if array.dtype == "uint16" else array)
        return tensor.view(torch.bfloat16) if array.dtype == "uint16" else tensor

"""The blend: solve for it, write it out, draw from it, verify proposals against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, Union

import numpy as np

from . import _declarations as c
from ._arrays import LogitsLike, Numbers, Texts, numbers, output, per_row, view
from ._library import Context, call
from ._structs import given_records, records, struct
from .enums import Method, choice
from ._texts import texts


def _views(student, teacher):
    s = view("student", student)
    return s, None if teacher is None else view("teacher", teacher, s.shape)


def solver(tolerance, method):
    return struct(c.trb_solve_options, tolerance=tolerance, method=choice(Method, "method", method))


def solve(student: LogitsLike, teacher: Optional[LogitsLike], budget: Numbers, *, tolerance: float = 0.0,
          method: Union[Method, str] = "newton", ctx: Optional[Context] = None) -> np.recarray:
    """The behavior closest to the teacher within the budget, argmin KL(mu||q) subject to KL(mu||p) <= budget, for every
    row.

    student: logits [..., vocab]; an array, a tensor, or Logits
    teacher: logits [..., vocab'], or None if every budget is 0
    budget: nats, one number or [...]
    tolerance: how far below the budget KL may end, relative; 0: 2e-5, for long rows 6e-5
    Returns records [...] of trb_blend: beta, multiplier, kl_student, kl_teacher, reverse_kl, log_norm, lse_student,
    lse_teacher, status (a Row), passes, support, mass. Raises BadRows, with them as its `result`."""
    s, t = _views(student, teacher)
    values, n = per_row("budget", budget, s.shape)
    out = records(c.trb_blend, s.shape)
    return call(ctx, "trb_solve", s, t, values, n, solver(tolerance, method),
                out, result=out)


def blend_at(student: LogitsLike, teacher: Optional[LogitsLike], beta: Numbers, *,
             ctx: Optional[Context] = None) -> np.recarray:
    """The same records for weights of the teacher that the caller chose, one number or [...] in [0, 1]."""
    s, t = _views(student, teacher)
    values, n = per_row("beta", beta, s.shape)
    out = records(c.trb_blend, s.shape)
    return call(ctx, "trb_blend_at", s, t, values, n, out, result=out)


def write_blend(student: LogitsLike, teacher: Optional[LogitsLike], blend: np.ndarray, *,
                out: Union[LogitsLike, bool] = True, ctx: Optional[Context] = None) -> Any:
    """log mu, -inf where mu is 0.

    blend: of solve() or blend_at() for these logits
    out: where to write, [..., at least the common vocabulary]; may be the student's or the teacher's own memory. True:
         a new array like the student's
    Returns `out`."""
    s, t = _views(student, teacher)
    blends = given_records("blend", blend, c.trb_blend, s.shape)
    written, o = output("out", out, student, s)
    if o is None:
        raise TypeError("out: expected an array, a tensor or True, got nothing")
    return call(ctx, "trb_write_blend", s, t, blends, o, result=written)


@dataclass
class Sampler:
    """How to draw. A row's random number depends on seed, stream, index and purpose alone.

    stream: which sequence a row belongs to, [...] of uint64; None: the row number
    index: its position there, [...]; None: 0
    top_k, top_p, min_p: filters on mu, in this order; 0: off
    greedy: the most probable token
    purpose: draws for different uses at one position never share a random number, in [0, 255]"""
    seed: int = 0
    stream: Optional[Numbers] = None
    index: Optional[Numbers] = None
    top_k: int = 0
    top_p: float = 0.0
    min_p: float = 0.0
    greedy: bool = False
    purpose: int = 0

    def struct(self, shape):
        """A trb_sampler for rows of that shape."""
        return struct(c.trb_sampler, seed=self.seed, stream=numbers("stream", self.stream, np.uint64, shape),
                      index=numbers("index", self.index, np.int64, shape), top_k=self.top_k, top_p=self.top_p,
                      min_p=self.min_p, greedy=int(self.greedy), purpose=self.purpose)


def sample(student: LogitsLike, teacher: Optional[LogitsLike], blend: np.ndarray, sampler: Sampler = Sampler(), *,
           ctx: Optional[Context] = None) -> np.recarray:
    """One token per row from mu.

    blend: of solve() or blend_at() for these logits
    Returns records [...] of trb_draw: token, kept, log_sampled, log_behavior, log_student, log_teacher, status."""
    s, t = _views(student, teacher)
    blends = given_records("blend", blend, c.trb_blend, s.shape)
    how, out = sampler.struct(s.shape), records(c.trb_draw, s.shape)
    return call(ctx, "trb_sample", s, t, blends, how, out, result=out)


class Verified(NamedTuple):
    """verdicts: records [rows] of trb_verdict: draw (as of sample()), acceptance, tv, argmax_teacher, verdict (a Verdict);
    blends: records [rows] of trb_blend."""
    verdicts: np.recarray
    blends: np.recarray


def verify(student: LogitsLike, teacher: Optional[LogitsLike], proposals: Texts, *, budget: Optional[Numbers] = None,
           beta: Optional[Numbers] = None, sampler: Sampler = Sampler(), tolerance: float = 0.0,
           method: Union[Method, str] = "newton", ctx: Optional[Context] = None) -> Verified:
    """Turns tokens that the student proposed into tokens distributed as mu: speculative sampling.

    student: logits [rows, vocab] that the proposals were drawn from, without a filter
    teacher: logits [rows, vocab']
    proposals: a list of blocks, together as many ids as rows; the last of a block may be -1: drawn from mu if all before
               it are accepted
    budget: nats, one number or [rows]; or
    beta: weights of the teacher, one number or [rows]"""
    s, t = _views(student, teacher)
    if len(s.shape) != 1:
        raise ValueError(f"student: expected [rows, vocab], got rows of shape {s.shape}")
    if (budget is None) == (beta is None):
        raise TypeError("verify: expected either a budget or a beta")
    values, n = per_row("budget" if beta is None else "beta", budget if beta is None else beta, s.shape)
    blocks = texts("proposals", proposals)
    options = struct(c.trb_verify_options, sampler=sampler.struct(s.shape),
                     solve=solver(tolerance, method) if beta is None else None,
                     behavior=c.TRB_BEHAVIOR_BUDGET if beta is None else c.TRB_BEHAVIOR_BETA)
    result = Verified(records(c.trb_verdict, s.shape), records(c.trb_blend, s.shape))
    return call(ctx, "trb_verify", s, t, blocks, values, n, options,
                result.blends, result.verdicts, result=result)

"""A teacher of which a server tells the most probable tokens only."""

from __future__ import annotations

from typing import Optional, Union

import numpy as np

from . import _declarations as c
from ._arrays import LogitsLike, Numbers, numbers, output, per_row, view
from ._library import Context, call
from ._structs import given_records, records, struct
from .blend import Sampler, solver
from .enums import Form, Method
from .loss import Loss, loss_options


class Sparse:
    """The top-k log-probabilities of a teacher; what they leave over is spread in proportion to the student.

    ids: [..., k], -1 for no entry; or [entries], with
    log_q: of the same shape, natural logarithms at the teacher's temperature
    offset: [rows + 1] row r has entries offset[r] to offset[r + 1] - 1; None for lists of one length
    least_rest: a list that leaves less than this is scaled down to leave so much"""

    def __init__(self, ids: Numbers, log_q: Numbers, offset: Optional[Numbers] = None, least_rest: float = 0.0) -> None:
        shape = np.shape(ids)
        entries = numbers("ids", ids, np.int64, shape)
        logs = numbers("log_q", log_q, np.float32, shape)
        bounds = None if offset is None else numbers("offset", np.array(offset), np.int64, np.shape(offset))  # our own
        if len(shape) == 0 or (bounds is not None and len(shape) != 1):
            raise ValueError(f"ids: expected [..., k], or [entries] with an offset, got shape {shape}")
        if bounds is None:
            self._shape, k = shape[:-1], shape[-1]
        else:
            self._shape, k = (bounds.size - 1,), 0
            if bounds.ndim != 1 or bounds.size == 0 or bounds.min() < 0 or bounds.max() > shape[0]:
                raise ValueError(f"offset: expected [rows + 1] numbers in [0, {shape[0]}], got {bounds}")
        self.struct = struct(c.trb_sparse, ids=entries, log_q=logs, offset=bounds, k=k, least_rest=least_rest)

    def of(self, shape):
        """The trb_sparse, if it has rows of that shape."""
        if self._shape != shape:
            raise ValueError(f"teacher: expected rows of shape {shape}, got {self._shape}")
        return self.struct


def solve_sparse(student: LogitsLike, teacher: Sparse, budget: Numbers, *, tolerance: float = 0.0,
                 method: Union[Method, str] = "newton", ctx: Optional[Context] = None) -> np.recarray:
    """solve() for a Sparse teacher. Returns records [...] of trb_sparse_blend, whose field `blend` is as of solve()."""
    s = view("student", student)
    values, n = per_row("budget", budget, s.shape)
    out = records(c.trb_sparse_blend, s.shape)
    return call(ctx, "trb_solve_sparse", s, teacher.of(s.shape), values, n,
                solver(tolerance, method), out, result=out)


def sample_sparse(student: LogitsLike, teacher: Sparse, blend: np.ndarray, sampler: Sampler = Sampler(), *,
                  ctx: Optional[Context] = None) -> np.recarray:
    """sample() from blends of solve_sparse()."""
    s = view("student", student)
    blends = given_records("blend", blend, c.trb_sparse_blend, s.shape)
    how, out = sampler.struct(s.shape), records(c.trb_draw, s.shape)
    return call(ctx, "trb_sample_sparse", s, teacher.of(s.shape), blends, how,
                out, result=out)


def reverse_kl_sparse(student: LogitsLike, teacher: Sparse, *, weight: Optional[Numbers] = None,
                      form: Union[Form, str] = "full", grad: Union[LogitsLike, bool] = False, rows: bool = False,
                      ctx: Optional[Context] = None) -> Loss:
    """reverse_kl() for a Sparse teacher, whose list is the support."""
    s = view("student", student)
    weights = numbers("weight", weight, np.float64, s.shape)
    options = loss_options(form, "all", 0, None, s.shape)
    written, g = output("grad", grad, student, s)
    result = Loss(np.zeros(s.shape), written, records(c.trb_loss_row, s.shape) if rows else None)
    return call(ctx, "trb_reverse_kl_sparse", s, teacher.of(s.shape), weights,
                options, result.loss, g, result.rows, result=result)

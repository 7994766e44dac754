"""A teacher of which a server tells the most probable tokens only."""

import numpy as np

from . import _declarations as c
from ._arrays import numbers, output, per_row, view
from ._library import call
from ._structs import given_records, records, struct
from .blend import Sampler, solver
from .loss import Loss, loss_options


class Sparse:
    """The top-k log-probabilities of a teacher; what they leave over is spread in proportion to the student.

    ids: [..., k], -1 for no entry; or [entries], with
    log_q: of the same shape, natural logarithms at the teacher's temperature
    offset: [rows + 1] row r has entries offset[r] to offset[r + 1] - 1; None for lists of one length
    least_rest: a list that leaves less than this is scaled down to leave so much"""

    def __init__(self, ids, log_q, offset=None, least_rest=0.0):
        ids, log_q = np.asarray(ids), np.asarray(log_q)
        ids = numbers("ids", ids, np.int64, ids.shape)
        log_q = numbers("log_q", log_q, np.float32, ids.shape)
        if ids.ndim == 0 or (offset is not None and ids.ndim != 1):
            raise ValueError(f"ids: expected [..., k], or [entries] with an offset, got shape {ids.shape}")
        if offset is None:
            self.shape, k = ids.shape[:-1], ids.shape[-1]
        else:
            offset = numbers("offset", offset, np.int64, (len(offset),))
            self.shape, k = (len(offset) - 1,), 0
            if len(offset) == 0 or offset.min() < 0 or offset.max() > len(ids):
                raise ValueError(f"offset: expected [rows + 1] numbers in [0, {len(ids)}], got {offset}")
        self.struct = struct(c.trb_sparse, ids=ids, log_q=log_q, offset=offset, k=k, least_rest=least_rest)

    def of(self, shape):
        """The trb_sparse, if it has rows of that shape."""
        if self.shape != shape:
            raise ValueError(f"teacher: expected rows of shape {shape}, got {self.shape}")
        return self.struct


def solve_sparse(student, teacher, budget, *, tolerance=0.0, method="newton", ctx=None):
    """solve() for a Sparse teacher. Returns records [...] of trb_sparse_blend, whose field `blend` is as of solve()."""
    s = view("student", student)
    values, n = per_row("budget", budget, s.shape)
    out = records(c.trb_sparse_blend, s.shape)
    return call(ctx, "trb_solve_sparse", s, teacher.of(s.shape), values, n,
                solver(tolerance, method), out, result=out)


def sample_sparse(student, teacher, blend, sampler=Sampler(), *, ctx=None):
    """sample() from blends of solve_sparse()."""
    s = view("student", student)
    blends = given_records("blend", blend, c.trb_sparse_blend, s.shape)
    how, out = sampler.struct(s.shape), records(c.trb_draw, s.shape)
    return call(ctx, "trb_sample_sparse", s, teacher.of(s.shape), blends, how,
                out, result=out)


def reverse_kl_sparse(student, teacher, *, weight=None, form="full", grad=False, rows=False, ctx=None):
    """reverse_kl() for a Sparse teacher, whose list is the support."""
    s = view("student", student)
    weights = numbers("weight", weight, np.float64, s.shape)
    options = loss_options(form, "all", 0, None, s.shape)
    written, g = output("grad", grad, student, s)
    result = Loss(np.zeros(s.shape), written, records(c.trb_loss_row, s.shape) if rows else None)
    return call(ctx, "trb_reverse_kl_sparse", s, teacher.of(s.shape), weights,
                options, result.loss, g, result.rows, result=result)

"""Divergences between student and teacher, with their gradients, and sampled-token terms."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Union

import numpy as np

from . import _declarations as c
from ._arrays import LogitsLike, Numbers, numbers, output, view
from ._library import Context, call
from ._structs import records, struct
from .enums import DivergenceKind, Estimator, Form, Support, choice


class Loss(NamedTuple):
    """loss: [...], nats, not weighted; grad: what was asked for, else None; rows: records [...] of trb_loss_row: entropies,
    masses, argmax of both models, support, overlap, status; None if not asked for."""
    loss: np.ndarray
    grad: Any
    rows: Optional[np.recarray]


def loss_options(form, support, k, ids, shape):
    """A trb_loss_options for rows of that shape."""
    if ids is not None:
        ids = np.asarray(ids)
        if ids.ndim == 0:
            raise ValueError("ids: expected [..., k], got a number")
        support, k = Support.IDS, ids.shape[-1]
        ids = numbers("ids", ids, np.int64, (*shape, k))
    return struct(c.trb_loss_options, form=choice(Form, "form", form), support=choice(Support, "support", support), k=k,
                  ids=ids)


def _divergence(ctx, name, student, teacher, weight, options, grad, rows):
    s = view("student", student)
    t = view("teacher", teacher, s.shape)
    weights = numbers("weight", weight, np.float64, s.shape)
    written, g = output("grad", grad, student, s)
    result = Loss(np.zeros(s.shape), written, records(c.trb_loss_row, s.shape) if rows else None)
    options = options(s.shape)
    return call(ctx, name, s, t, weights, options, result.loss, g,
                result.rows, result=result)


def reverse_kl(student: LogitsLike, teacher: LogitsLike, *, weight: Optional[Numbers] = None,
               form: Union[Form, str] = "full", support: Union[Support, str] = "all", k: int = 0,
               ids: Optional[Numbers] = None, grad: Union[LogitsLike, bool] = False, rows: bool = False,
               ctx: Optional[Context] = None) -> Loss:
    """Reverse KL, KL(p||q), of every row, and its exact gradient.

    student: logits [..., vocab]; an array, a tensor, or Logits
    teacher: logits [..., vocab']
    weight: [...] of the gradient; a row of weight 0 is not read. None: ones
    form: a Form: full, truncated, renormalized, tail_bucket, generalized; all but the first on
    support: a Support: all, student_top_k, teacher_top_k (of `k` tokens); or
    ids: [..., k] token ids, -1 for none
    grad: True for a new array like the student's, or where to write [..., vocab], such as the student's own memory:
          weight * d loss / d logits
    rows: True for records of every row
    Returns Loss. Raises BadRows, with it as `result`: their loss is NaN or inf, their gradient 0."""
    return _divergence(ctx, "trb_reverse_kl", student, teacher, weight,
                       lambda shape: loss_options(form, support, k, ids, shape), grad, rows)


def divergence(student: LogitsLike, teacher: LogitsLike, kind: Union[DivergenceKind, str], *, b: float = 0.0,
               weight: Optional[Numbers] = None, grad: Union[LogitsLike, bool] = False, rows: bool = False,
               ctx: Optional[Context] = None) -> Loss:
    """Forward KL or generalized Jensen-Shannon divergence, with everything else as in reverse_kl().

    kind: a DivergenceKind: forward_kl, jsd
    b: of the latter, in (0, 1); 0 means 0.5"""
    options = struct(c.trb_divergence_options, b=b, kind=choice(DivergenceKind, "kind", kind))
    return _divergence(ctx, "trb_divergence", student, teacher, weight, lambda shape: options, grad, rows)


class Terms(NamedTuple):
    """terms: records [...] of trb_term: value, coefficient, log_student, log_teacher, ratio, clipped (a Clipped), status;
    grad: what was asked for, else None."""
    terms: np.recarray
    grad: Any


def term_options(estimator, ratio_low, ratio_high, advantage_limit):
    return struct(c.trb_term_options, estimator=choice(Estimator, "estimator", estimator), ratio_low=ratio_low,
                  ratio_high=ratio_high, advantage_limit=advantage_limit)


def token_terms(student: LogitsLike, teacher: Optional[LogitsLike], token: Numbers, *,
                log_behavior: Optional[Numbers] = None, weight: Optional[Numbers] = None,
                estimator: Union[Estimator, str] = "advantage", ratio_low: float = 0.0, ratio_high: float = 0.0,
                advantage_limit: float = 0.0, grad: Union[LogitsLike, bool] = False,
                ctx: Optional[Context] = None) -> Terms:
    """One sampled-token term per row, and its gradient.

    teacher: may be None for the estimator nll
    token: [...] ids that were sampled
    log_behavior: [...] log-probability under what sampled them, for the estimator advantage; None: the student
    weight, grad: as for reverse_kl()
    estimator: an Estimator: advantage, k1, k2, k3, nll
    ratio_low, ratio_high, advantage_limit: clips of the advantage; 0: off"""
    s = view("student", student)
    t = None if teacher is None else view("teacher", teacher, s.shape)
    ids = numbers("token", token, np.int64, s.shape)
    behavior = numbers("log_behavior", log_behavior, np.float64, s.shape)
    weights = numbers("weight", weight, np.float64, s.shape)
    options = term_options(estimator, ratio_low, ratio_high, advantage_limit)
    written, g = output("grad", grad, student, s)
    result = Terms(records(c.trb_term, s.shape), written)
    return call(ctx, "trb_token_terms", s, t, ids, behavior, weights,
                options, result.terms, g, result=result)


def entropy(logits: LogitsLike, *, ctx: Optional[Context] = None) -> np.ndarray:
    """The entropy of each row's distribution, [...] in nats."""
    x = view("logits", logits)
    out = np.zeros(x.shape)
    return call(ctx, "trb_entropy", x, out, result=out)

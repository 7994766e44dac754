"""One step's loss and gradient on a batch of rollouts."""

from __future__ import annotations

from typing import Any, Callable, Dict, NamedTuple, Optional, Union

import numpy as np

from . import _declarations as c
from ._arrays import DTYPES, Numbers, numbers
from ._library import Context, library
from ._structs import records, struct
from .enums import DivergenceKind, Norm, Objective, choice
from .loss import loss_options, term_options
from .models import Callbacks, Model, Progress
from .rollouts import Rollouts, read


class Report(NamedTuple):
    """What a step of training found: the fields of trb_train_report in trb.h."""
    tokens: int
    bad: int
    clipped: int
    micro_batches: int
    teacher_rows: int
    objective: float
    loss: float
    entropy_student: float
    entropy_teacher: float
    mass_student: float
    mass_teacher: float
    agreement: float
    routed: int
    routed_loss: float


class Step(NamedTuple):
    """report: a Report; loss: [n_tokens], not weighted; rows: records [n_tokens] of trb_loss_row, None for the objective
    token."""
    report: Report
    loss: np.ndarray
    rows: Optional[np.recarray]


def _reverse_kl(n, form="full", support="all", k=0, ids=None):
    return {"reverse_kl": loss_options(form, support, k, ids, (n,))}


def _divergence(n, kind="forward_kl", b=0.0):
    return {"divergence": struct(c.trb_divergence_options, kind=choice(DivergenceKind, "kind", kind), b=b)}


def _token(n, estimator="advantage", ratio_low=0.0, ratio_high=0.0, advantage_limit=0.0):
    return {"token": term_options(estimator, ratio_low, ratio_high, advantage_limit)}


OPTIONS: Dict[Objective, Callable[..., Dict[str, Any]]] = {Objective.REVERSE_KL: _reverse_kl, Objective.DIVERGENCE: _divergence, Objective.TOKEN: _token}


def train_step(student: Model, teacher: Optional[Model], rollouts: Rollouts, *,
               objective: Union[Objective, str] = "reverse_kl", weight: Optional[Numbers] = None,
               norm: Union[Norm, str] = "tokens", scale: float = 1.0, bridge: float = 0.0, routed: bool = False,
               evaluate: bool = False, grad_dtype: str = "float32", batch_bytes: int = 0,
               progress: Optional[Progress] = None, ctx: Optional[Context] = None, **options: Any) -> Step:
    """The student's forward gives the logits before every sampled token, the teacher's are those kept or asked for
    likewise, and the student's backward gets the gradient of the loss. The optimizer is the caller's. Returns a Step.

    student: a Model with a backward
    teacher: a Model; None for the estimator nll
    objective: reverse_kl with form, support, k, ids of reverse_kl(), ids [n_tokens, k]; divergence with kind, b of
               divergence(); token with estimator, ratio_low, ratio_high, advantage_limit of token_terms()
    weight: [n_tokens]; None: ones
    norm: a Norm: tokens (a mean over tokens), sequences (of means over tokens), none
    scale: multiplies all weights
    bridge: the target is the blend of p and q at this weight, in (0, 1]; 0: it is q
    routed: the loss of a corrected token is -log p(argmax q) in place of the objective
    evaluate: no gradient; backward is not called
    grad_dtype: of the gradient that backward gets
    batch_bytes: most bytes of logits and gradients at a time; 0: 256 MiB
    progress: as for rollout()

    BadRows: some rows have no result, all others were trained on; its `result` is the Step."""
    callbacks, what, n = Callbacks(), choice(Objective, "objective", objective), rollouts.n_tokens
    if grad_dtype not in DTYPES:
        raise ValueError(f"grad_dtype: expected one of {sorted(DTYPES)}, got {grad_dtype!r}")
    if not evaluate and student is not None and student.backward is None:
        raise ValueError("student: expected a Model with a backward, or evaluate=True")
    chosen = struct(c.trb_train_options, weight=numbers("weight", weight, np.float64, (n,)), scale=scale, bridge=bridge,
                    batch_bytes=batch_bytes, progress=callbacks.progress(progress), objective=what,
                    norm=choice(Norm, "norm", norm), grad_dtype=DTYPES[grad_dtype], evaluate=int(evaluate),
                    routed=int(routed), **OPTIONS[what](n, **options))
    s, t = callbacks.model(student), callbacks.model(teacher)
    report, loss = struct(c.trb_train_report), np.zeros(n)
    rows = None if what is Objective.TOKEN else records(c.trb_loss_row, n)
    return callbacks.call(ctx, rollouts._handle.lent(library.trb_train_step), s, t, rollouts._handle.pointer, chosen,
                          loss, rows, report,
                          result=lambda: Step(read(Report, report), loss, rows))

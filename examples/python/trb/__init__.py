"""libtrb: trust-region behavior blending for on-policy distillation (arXiv 2605.31159).

Functions take logits as NumPy arrays, PyTorch tensors on the CPU, or what has __array_interface__ or __dlpack__, of
float32, float16 or bfloat16, and never copy them. The last axis is the vocabulary, all others are rows: what comes back
has their shape. Logits adds a temperature. Bad input raises InvalidArgument, ValueError or TypeError before anything is
written; rows that hold no distribution raise BadRows, which carries the results of all others.

    blend = trb.solve(student, teacher, budget=0.05)
    draw = trb.sample(student, teacher, blend, trb.Sampler(seed=1))
    loss, grad, _ = trb.reverse_kl(student, teacher, weight=weight, grad=True)

trb.torch, which needs PyTorch, has the loss for autograd. What each number means stands in trb.h and docs/math.md."""

from ._arrays import Logits
from ._declarations import VERSION
from ._library import Context
from .blend import Sampler, Verified, blend_at, sample, solve, verify, write_blend
from .diagnostics import Gain, auroc, continuation_gain, sequence_scores
from .enums import (Behavior, Clipped, DivergenceKind, Estimator, Form, Isa, Method, Norm, Objective, Row, ScheduleKind, Stop,
                    Support, Verdict)
from .errors import BadRows, CallbackError, Error, InvalidArgument, OutOfMemory
from .loss import Loss, Terms, divergence, entropy, reverse_kl, token_terms
from .models import Model, Query
from .rollouts import Rollouts, Totals, rollout, score, totals
from .schedule import Schedule
from .sparse import Sparse, reverse_kl_sparse, sample_sparse, solve_sparse
from .tokens import mask_tokens, merge_tokens
from .training import Report, Step, train_step

__version__ = ".".join(map(str, VERSION))
__all__ = [
    "BadRows", "Behavior", "CallbackError", "Clipped", "Context", "DivergenceKind", "Error", "Estimator", "Form",
    "Gain", "InvalidArgument", "Isa", "Logits", "Loss", "Method", "Model", "Norm", "Objective", "OutOfMemory",
    "Query", "Report", "Rollouts", "Row", "Sampler", "Schedule", "ScheduleKind", "Sparse", "Step", "Stop",
    "Support", "Terms", "Totals", "Verdict", "Verified", "auroc", "blend_at", "continuation_gain", "divergence",
    "entropy", "mask_tokens", "merge_tokens", "reverse_kl", "reverse_kl_sparse", "rollout", "sample",
    "sample_sparse", "score", "sequence_scores", "solve", "solve_sparse", "token_terms", "totals", "train_step",
    "verify", "write_blend",
]

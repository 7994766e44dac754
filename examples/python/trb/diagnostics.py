"""What the paper's diagnostics need."""

from __future__ import annotations

import ctypes
from typing import Any, Callable, NamedTuple, Optional

import numpy as np

from . import _declarations as c
from ._arrays import Numbers, numbers
from ._library import Context, call, library
from ._structs import struct
from .models import Callbacks, Model
from .rollouts import Rollouts, read, rollout_options

Judge = Callable[[np.ndarray, int, int], float]


class Gain(NamedTuple):
    """What prefixes are worth: the fields of trb_gain in trb.h."""
    pairs: int
    continued_a: int
    continued_b: int
    reward_a: float
    reward_b: float
    gain: float
    standard_error: float


def sequence_scores(rollouts: Rollouts, *, ctx: Optional[Context] = None) -> np.ndarray:
    """The mean of log q - log p over each sequence's sampled tokens, [n]."""
    out = np.zeros(rollouts.n)
    return call(ctx, rollouts._handle.lent(library.trb_sequence_scores), rollouts._handle.pointer, out, result=out)


def auroc(score: Numbers, positive: Numbers, *, ctx: Optional[Context] = None) -> float:
    """The probability that a random positive scores above a random negative: the area under the ROC curve.

    score: [n]; positive: [n] of bool or 0 and 1"""
    scores = numbers("score", score, np.float64, np.shape(score))
    flags = np.asarray(positive)
    flags = numbers("positive", flags.astype(np.int32) if flags.dtype == bool else flags, np.int32, (scores.size,))
    out = ctypes.c_double()
    call(ctx, "trb_auroc", scores, flags, scores.size, ctypes.byref(out))
    return out.value


def continuation_gain(student: Optional[Model], teacher: Optional[Model], a: Rollouts, b: Rollouts, cut: int, judge: Judge,
                      *, ctx: Optional[Context] = None, **options: Any) -> Gain:
    """What prefixes are worth: cuts the responses of the Rollouts a and b after `cut` tokens, continues both in the same
    way, and compares what the judge says. Returns a Gain: a minus b, with its standard error.

    judge(tokens, prompt_length, sequence): the reward of a whole sequence
    options: how to continue, as for rollout(), such as behavior="teacher\""""
    callbacks, out = Callbacks(), struct(c.trb_gain)
    chosen = rollout_options(callbacks, a.n, **options)
    s, t = callbacks.model(student), callbacks.model(teacher)
    function = a._handle.lent(b._handle.lent(library.trb_continuation_gain))
    return callbacks.call(ctx, function, s, t, a._handle.pointer, b._handle.pointer, cut,
                          chosen, callbacks.judge(judge), None, out, result=lambda: read(Gain, out))

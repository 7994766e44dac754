"""What the paper's diagnostics need."""

import ctypes

import numpy as np

from . import _declarations as c
from ._arrays import numbers
from ._library import call
from ._structs import struct
from .models import Callbacks
from .rollouts import plain, rollout_options

Gain = plain(c.trb_gain, "Gain")


def sequence_scores(rollouts, *, ctx=None):
    """The mean of log q - log p over each sequence's sampled tokens, [n]."""
    out = np.zeros(rollouts.n)
    return call(ctx, "trb_sequence_scores", rollouts._handle.pointer, out, result=out)


def auroc(score, positive, *, ctx=None):
    """The probability that a random positive scores above a random negative: the area under the ROC curve.

    score: [n]; positive: [n] of bool or 0 and 1"""
    scores = numbers("score", score, np.float64, np.shape(score))
    flags = np.asarray(positive)
    flags = numbers("positive", flags.astype(np.int32) if flags.dtype == bool else flags, np.int32, (scores.size,))
    out = ctypes.c_double()
    call(ctx, "trb_auroc", scores, flags, scores.size, ctypes.byref(out))
    return out.value


def continuation_gain(student, teacher, a, b, cut, judge, *, ctx=None, **options):
    """What prefixes are worth: cuts the responses of the Rollouts a and b after `cut` tokens, continues both in the same
    way, and compares what the judge says. Returns a Gain: a minus b, with its standard error.

    judge(tokens, prompt_length, sequence): the reward of a whole sequence
    options: how to continue, as for rollout(), such as behavior="teacher\""""
    callbacks, out = Callbacks(), struct(c.trb_gain)
    chosen = rollout_options(callbacks, a.n, **options)
    s, t = callbacks.model(student), callbacks.model(teacher)
    return callbacks.call(ctx, "trb_continuation_gain", s, t, a._handle.pointer, b._handle.pointer, cut,
                          chosen, callbacks.judge(judge), None, out, result=lambda: Gain.of(out))

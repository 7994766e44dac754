"""Tokens masked and merged, in place."""

import numpy as np

from ._arrays import numbers, view
from ._library import call


def mask_tokens(logits, ids, *, ctx=None):
    """Masks tokens in every row: their logits become -inf."""
    x = view("logits", logits, writable=True)
    which = numbers("ids", ids, np.int64, (len(ids),))
    call(ctx, "trb_mask_tokens", x, which, len(which))


def merge_tokens(logits, source, target, *, ctx=None):
    """Moves the probability of each token of `source` to that of `target` in its place, in every row."""
    x = view("logits", logits, writable=True)
    source = numbers("source", source, np.int64, (len(source),))
    target = numbers("target", target, np.int64, source.shape)
    call(ctx, "trb_merge_tokens", x, source, target, len(source))

"""Tokens masked and merged, in place."""

from __future__ import annotations

from typing import Optional, Sequence

import numpy as np

from ._arrays import LogitsLike, numbers, view
from ._library import Context, call


def mask_tokens(logits: LogitsLike, ids: Sequence[int], *, ctx: Optional[Context] = None) -> None:
    """Masks tokens in every row: their logits become -inf."""
    x = view("logits", logits, writable=True)
    which = numbers("ids", ids, np.int64, (len(ids),))
    call(ctx, "trb_mask_tokens", x, which, len(which))


def merge_tokens(logits: LogitsLike, source: Sequence[int], target: Sequence[int], *,
                 ctx: Optional[Context] = None) -> None:
    """Moves the probability of each token of `source` to that of `target` in its place, in every row."""
    x = view("logits", logits, writable=True)
    sources = numbers("source", source, np.int64, (len(source),))
    targets = numbers("target", target, np.int64, sources.shape)
    call(ctx, "trb_merge_tokens", x, sources, targets, len(sources))

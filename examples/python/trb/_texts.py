"""Token lists, one behind the other."""

import numpy as np

from . import _declarations as c
from ._arrays import numbers
from ._structs import struct


def texts(name, lists):
    """A trb_texts of a sequence of token sequences."""
    parts = [numbers(f"{name}[{i}]", part, np.int64, (len(part),)) for i, part in enumerate(lists)]
    tokens = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    offset = np.zeros(len(parts) + 1, np.int64)
    np.cumsum([len(part) for part in parts], out=offset[1:])
    return struct(c.trb_texts, tokens=tokens, offset=offset, n=len(parts))

"""Budgets that anneal over optimizer steps."""

from __future__ import annotations

import ctypes
from typing import Optional, Sequence, Union

import numpy as np

from . import _declarations as c
from ._arrays import numbers
from ._library import call
from ._structs import struct
from .enums import ScheduleKind, choice


class Schedule:
    """schedule(k) is the budget of step k.

    kind: a ScheduleKind: linear, constant, cosine, piecewise
    initial: budget at step 0
    steps: the last step; after it the budget is 0. constant: 0 is without end
    at, budgets: of piecewise alone: steps, ascending, and the budgets there"""

    def __init__(self, kind: Union[ScheduleKind, str] = "linear", *, initial: float = 0.0, steps: int = 0,
                 at: Optional[Sequence[int]] = None, budgets: Optional[Sequence[float]] = None) -> None:
        points = 0 if at is None else len(at)
        self._struct = struct(c.trb_schedule, kind=choice(ScheduleKind, "kind", kind), initial=initial, steps=steps,
                              at=numbers("at", at, np.int64, (points,)),
                              budgets=numbers("budgets", budgets, np.float64, (points,)), points=points)
        self(0)

    def __call__(self, k: int) -> float:
        out = ctypes.c_double()
        call(None, "trb_schedule_at", self._struct, k, ctypes.byref(out))
        return out.value

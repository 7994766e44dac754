"""The header's enums. Wherever one is an argument its name in lower case serves, too: form="tail_bucket"."""

from __future__ import annotations

import enum
from typing import Any, Type, TypeVar

from . import _declarations as c

Kind = TypeVar("Kind", bound=enum.IntEnum)


class Row(enum.IntEnum):
    """What became of a row; negative: it holds no result."""
    BLENDED = c.TRB_ROW_BLENDED
    TEACHER = c.TRB_ROW_TEACHER
    STUDENT = c.TRB_ROW_STUDENT
    UNREACHABLE = c.TRB_ROW_UNREACHABLE
    GIVEN = c.TRB_ROW_GIVEN
    OK = c.TRB_ROW_OK
    SKIPPED = c.TRB_ROW_SKIPPED
    EMPTY = c.TRB_ROW_EMPTY
    NOT_A_NUMBER = c.TRB_ROW_NOT_A_NUMBER
    INFINITE = c.TRB_ROW_INFINITE
    IMPOSSIBLE = c.TRB_ROW_IMPOSSIBLE
    EXCESS = c.TRB_ROW_EXCESS


class Isa(enum.IntEnum):
    """Which row kernels run."""
    AUTO = c.TRB_ISA_AUTO
    SCALAR = c.TRB_ISA_SCALAR
    AVX2 = c.TRB_ISA_AVX2
    AVX512 = c.TRB_ISA_AVX512
    NEON = c.TRB_ISA_NEON


class ScheduleKind(enum.IntEnum):
    """How a budget anneals."""
    LINEAR = c.TRB_SCHEDULE_LINEAR
    CONSTANT = c.TRB_SCHEDULE_CONSTANT
    COSINE = c.TRB_SCHEDULE_COSINE
    PIECEWISE = c.TRB_SCHEDULE_PIECEWISE


class Method(enum.IntEnum):
    """How a solve looks for beta."""
    NEWTON = c.TRB_METHOD_NEWTON
    BISECTION = c.TRB_METHOD_BISECTION


class Verdict(enum.IntEnum):
    """What became of a position."""
    DRAWN = c.TRB_VERDICT_DRAWN
    ACCEPTED = c.TRB_VERDICT_ACCEPTED
    CORRECTED = c.TRB_VERDICT_CORRECTED
    DROPPED = c.TRB_VERDICT_DROPPED


class Form(enum.IntEnum):
    """Forms of the reverse KL on a support."""
    FULL = c.TRB_FORM_FULL
    TRUNCATED = c.TRB_FORM_TRUNCATED
    RENORMALIZED = c.TRB_FORM_RENORMALIZED
    TAIL_BUCKET = c.TRB_FORM_TAIL_BUCKET
    GENERALIZED = c.TRB_FORM_GENERALIZED


class Support(enum.IntEnum):
    """What the support is."""
    ALL = c.TRB_SUPPORT_ALL
    STUDENT_TOP_K = c.TRB_SUPPORT_STUDENT_TOP_K
    TEACHER_TOP_K = c.TRB_SUPPORT_TEACHER_TOP_K
    IDS = c.TRB_SUPPORT_IDS


class DivergenceKind(enum.IntEnum):
    """Divergences other than the reverse KL."""
    FORWARD_KL = c.TRB_DIVERGENCE_FORWARD_KL
    JSD = c.TRB_DIVERGENCE_JSD


class Estimator(enum.IntEnum):
    """Estimators of the reverse KL from one token."""
    ADVANTAGE = c.TRB_ESTIMATOR_ADVANTAGE
    K1 = c.TRB_ESTIMATOR_K1
    K2 = c.TRB_ESTIMATOR_K2
    K3 = c.TRB_ESTIMATOR_K3
    NLL = c.TRB_ESTIMATOR_NLL


class Clipped(enum.IntFlag):
    """Which clips of an advantage took hold."""
    RATIO = c.TRB_CLIPPED_RATIO
    ADVANTAGE = c.TRB_CLIPPED_ADVANTAGE


class Behavior(enum.IntEnum):
    """Who samples."""
    BUDGET = c.TRB_BEHAVIOR_BUDGET
    BETA = c.TRB_BEHAVIOR_BETA
    STUDENT = c.TRB_BEHAVIOR_STUDENT
    TEACHER = c.TRB_BEHAVIOR_TEACHER
    SKD = c.TRB_BEHAVIOR_SKD


class Stop(enum.IntEnum):
    """Why a sequence ended."""
    NONE = c.TRB_STOP_NONE
    TOKEN = c.TRB_STOP_TOKEN
    LENGTH = c.TRB_STOP_LENGTH
    STUDENT = c.TRB_STOP_STUDENT
    TEACHER = c.TRB_STOP_TEACHER
    GIVEN = c.TRB_STOP_GIVEN


class Objective(enum.IntEnum):
    """What a training step descends."""
    REVERSE_KL = c.TRB_OBJECTIVE_REVERSE_KL
    DIVERGENCE = c.TRB_OBJECTIVE_DIVERGENCE
    TOKEN = c.TRB_OBJECTIVE_TOKEN


class Norm(enum.IntEnum):
    """How weights become those of the loss."""
    TOKENS = c.TRB_NORM_TOKENS
    SEQUENCES = c.TRB_NORM_SEQUENCES
    NONE = c.TRB_NORM_NONE


def choice(kind: Type[Kind], name: str, value: Any) -> Kind:
    """The member that an argument means."""
    if isinstance(value, str):
        try:
            return kind[value.upper()]
        except KeyError:
            pass
    else:
        try:
            return kind(value)
        except ValueError:
            pass
    names = ", ".join(repr(member.name.lower()) for member in kind)
    raise ValueError(f"{name}: expected one of {names}, got {value!r}")

"""The header's enums. Wherever one is an argument its name in lower case serves, too: form="tail_bucket"."""

import enum

from . import _declarations as c


def _enum(name, prefix, text):
    members = {key[len(prefix):]: value for key, value in vars(c).items() if key.startswith(prefix)}
    made = enum.IntEnum(name, members, module=__name__)
    made.__doc__ = f"{text} {prefix}* in trb.h."
    return made


Row = _enum("Row", "TRB_ROW_", "What became of a row; negative: it holds no result.")
Isa = _enum("Isa", "TRB_ISA_", "Which row kernels run.")
ScheduleKind = _enum("ScheduleKind", "TRB_SCHEDULE_", "How a budget anneals.")
Method = _enum("Method", "TRB_METHOD_", "How a solve looks for beta.")
Verdict = _enum("Verdict", "TRB_VERDICT_", "What became of a position.")
Form = _enum("Form", "TRB_FORM_", "Forms of the reverse KL on a support.")
Support = _enum("Support", "TRB_SUPPORT_", "What the support is.")
DivergenceKind = _enum("DivergenceKind", "TRB_DIVERGENCE_", "Divergences other than the reverse KL.")
Estimator = _enum("Estimator", "TRB_ESTIMATOR_", "Estimators of the reverse KL from one token.")
Clipped = enum.IntFlag("Clipped", {"RATIO": c.TRB_CLIPPED_RATIO, "ADVANTAGE": c.TRB_CLIPPED_ADVANTAGE}, module=__name__)
Behavior = _enum("Behavior", "TRB_BEHAVIOR_", "Who samples.")
Stop = _enum("Stop", "TRB_STOP_", "Why a sequence ended.")
Objective = _enum("Objective", "TRB_OBJECTIVE_", "What a training step descends.")
Norm = _enum("Norm", "TRB_NORM_", "How weights become those of the loss.")


def choice(kind, name, value):
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

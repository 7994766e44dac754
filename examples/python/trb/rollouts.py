"""Rollouts: sample them, score them, sum them up."""

from __future__ import annotations

import ctypes
from typing import NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from . import _declarations as c
from ._arrays import Numbers, Texts, numbers
from ._library import Context, call, library
from ._structs import struct
from ._texts import texts
from .blend import Sampler, solver
from .enums import Behavior, Method, choice
from .models import Callbacks, Model, Progress


class _Memory:
    """Lends the library's memory to NumPy and keeps the owner alive as long as an array needs it."""

    def __init__(self, owner, where, n, dtype):
        self.owner = owner
        self.__array_interface__ = {"version": 3, "shape": (n,), "typestr": np.dtype(dtype).str, "data": (where, True)}


class _Handle:
    """What trb_rollouts_free ends."""

    def __init__(self):
        self.pointer = ctypes.POINTER(c.trb_rollouts)()
        self._calls = {}  # that they serve: whether it writes to them

    def lent(self, function, writes=False):
        """The function, refused while a call writes to the rollouts, and if it writes, while there is any."""
        def lent(*arguments):
            mine = object()
            try:
                self._calls[mine] = writes
                calls = list(self._calls.values())
                if len(calls) > 1 and any(calls):
                    raise RuntimeError("the rollouts serve another call, perhaps that of this callback")
                return function(*arguments)
            finally:
                self._calls.pop(mine, None)
        return lent

    def __del__(self):
        if self.pointer:
            library.trb_rollouts_free(self.pointer)


def _array(name, dtype, length, text):
    def read(self) -> np.ndarray:
        n = length(self)
        if n == 0:
            return np.zeros(0, dtype)
        return np.asarray(_Memory(self._handle, getattr(self._handle.pointer.contents, name), n, dtype))
    return property(read, doc=text)


def _number(name, text):
    return property(lambda self: getattr(self._handle.pointer.contents, name), doc=text)


def _per_token(name, dtype):
    return _array(name, dtype, lambda self: self.n_tokens, f"[n_tokens] {name} in trb.h.")


def _per_sequence(name, dtype):
    return _array(name, dtype, lambda self: self.n, f"[n] {name} in trb.h.")


Ends = Sequence[Tuple[int, int]]  # (student's id, teacher's id)


class Rollouts:
    """Sequences, and what is known of each sampled token: read-only arrays, NaN where something is not known. The
    sampled tokens of sequence i are numbers offset[i] to offset[i + 1] - 1.

    Made by rollout(), or of sequences that come from elsewhere:

    sequences: token lists, prompts with responses
    prompt_length: [sequences] tokens of each that are the prompt
    log_sampled: [tokens of all responses] log-probabilities of whoever sampled them
    ends: pairs of tokens, as for rollout()"""

    def __init__(self, sequences: Texts, prompt_length: Numbers, *, log_sampled: Optional[Numbers] = None,
                 ends: Ends = (), ctx: Optional[Context] = None) -> None:
        self._handle = _Handle()
        lists = texts("sequences", sequences)
        prompts = numbers("prompt_length", prompt_length, np.int64, (lists.n,))
        sampled = len(lists.made_of[0]) - int(prompts.sum())
        logs = numbers("log_sampled", log_sampled, np.float64, (sampled,))
        call(ctx, "trb_rollouts_new", lists, prompts, logs, _ends(ends),
             ctypes.byref(self._handle.pointer))

    @classmethod
    def _empty(cls):
        made = cls.__new__(cls)
        made._handle = _Handle()
        return made

    def __len__(self) -> int:
        return self.n

    def prompt(self, i: int) -> np.ndarray:
        """The tokens of a sequence before those that were sampled."""
        i = range(self.n)[i]
        sampled = self.offset[i + 1] - self.offset[i]
        return self.text[self.text_offset[i]:self.text_offset[i + 1] - sampled]

    def response(self, i: int) -> np.ndarray:
        """The sampled tokens of a sequence."""
        i = range(self.n)[i]
        return self.token[self.offset[i]:self.offset[i + 1]]

    n = _number("n", "Sequences.")
    n_tokens = _number("n_tokens", "Sampled tokens of all sequences.")
    proposed = _number("proposed", "Tokens that the student proposed, with those that were dropped.")
    budget = _number("budget", "That was sampled at; NaN where there was none.")
    kept = _number("kept", "Tokens whose teacher logits are kept.")
    student_calls = _number("student_calls", "Of its forward callback.")
    teacher_calls = _number("teacher_calls", "Of its forward callback.")
    text_offset = _array("text_offset", np.int64, lambda self: self.n + 1, "[n + 1] where each sequence begins in text.")
    text = _array("text", np.int64, lambda self: int(self.text_offset[-1]), "Whole sequences, one behind the other.")
    offset = _array("offset", np.int64, lambda self: self.n + 1, "[n + 1] into the arrays of n_tokens.")
    stream = _per_sequence("stream", np.uint64)
    stop = _per_sequence("stop", np.int32)
    row = _per_sequence("row", np.int32)
    token = _per_token("token", np.int64)
    log_sampled = _per_token("log_sampled", np.float64)
    log_behavior = _per_token("log_behavior", np.float64)
    log_student = _per_token("log_student", np.float64)
    log_teacher = _per_token("log_teacher", np.float64)
    beta = _per_token("beta", np.float64)
    kl_student = _per_token("kl_student", np.float64)
    kl_teacher = _per_token("kl_teacher", np.float64)
    reverse_kl = _per_token("reverse_kl", np.float64)
    entropy_student = _per_token("entropy_student", np.float64)
    entropy_teacher = _per_token("entropy_teacher", np.float64)
    tv = _per_token("tv", np.float64)
    argmax_teacher = _per_token("argmax_teacher", np.int64)
    status = _per_token("status", np.int32)
    verdict = _per_token("verdict", np.int32)


def _ends(pairs):
    pairs = numbers("ends", list(pairs), np.int64, (len(pairs), 2)) if len(pairs) else None
    if pairs is None:
        return None
    return struct(c.trb_ends, student=pairs[:, 0].copy(), teacher=pairs[:, 1].copy(), n=len(pairs))


def rollout_options(callbacks, sequences, *, budget=None, beta=None, behavior=None, temperature=0.0, top_k=0,
                    sampler=Sampler(), stop=(), ends=(), max_tokens=0, max_length=0, repeats=0, batch=0, block=0,
                    keep_bytes=0, tolerance=0.0, method="newton", progress=None):
    """A trb_rollout_options for so many sequences."""
    if (budget is not None) + (beta is not None) + (behavior is not None) != 1:
        raise TypeError("expected one of budget, beta and behavior")
    if behavior is None:
        behavior = Behavior.BETA if budget is None else Behavior.BUDGET
    else:
        behavior = choice(Behavior, "behavior", behavior)
        if behavior in (Behavior.BUDGET, Behavior.BETA):
            raise ValueError(f"behavior: expected 'student', 'teacher' or 'skd', got {behavior.name.lower()!r}: give the "
                             "number alone")
    stops = numbers("stop", list(stop), np.int64, (len(stop),))
    return struct(c.trb_rollout_options, budget=budget, beta=beta, temperature=temperature, top_k=top_k,
                  solve=solver(tolerance, method) if behavior == Behavior.BUDGET else None,
                  sampler=sampler.struct((sequences,)), stop=stops, n_stop=len(stops), ends=_ends(ends),
                  max_tokens=max_tokens, max_length=max_length, repeats=repeats, batch=batch, block=block,
                  keep_bytes=keep_bytes, progress=callbacks.progress(progress), behavior=behavior)


def rollout(student: Optional[Model], teacher: Optional[Model], prompts: Texts, *, budget: Optional[float] = None,
            beta: Optional[float] = None, behavior: Union[Behavior, str, None] = None, temperature: float = 0.0,
            top_k: int = 0, sampler: Sampler = Sampler(), stop: Sequence[int] = (), ends: Ends = (), max_tokens: int = 0,
            max_length: int = 0, repeats: int = 1, batch: int = 0, block: int = 0, keep_bytes: int = 0,
            tolerance: float = 0.0, method: Union[Method, str] = "newton", progress: Optional[Progress] = None,
            ctx: Optional[Context] = None) -> Rollouts:
    """Samples a response to every prompt. Returns Rollouts.

    student, teacher: Models; a model that the behavior does not need may be None
    prompts: token lists, each of at least one token
    budget: nats per token: tokens are drawn from the blend within it; 0 is the student alone; or
    beta: the blend at this weight of the teacher; or
    behavior: "student" or "teacher" alone at `temperature`, or "skd": speculative knowledge distillation, with `top_k`
    sampler: a Sampler: seed, filters, purpose; its stream is [sequences], its index None
    stop: ids that end a sequence
    ends: pairs (student's id, teacher's id) of end-of-text tokens that mean the same
    max_tokens: of a response; max_length: with the prompt; one of them must be set
    repeats: sequences per prompt: sequence i continues prompt i // repeats; 0 means 1
    batch: most sequences per callback; 0: all
    block: most tokens that the student proposes before the teacher is asked; 0: none
    keep_bytes: teacher logits are kept for the loss as long as they fit in so many bytes
    tolerance, method: as for solve()
    progress: called with (sequences finished, of all) after every step; may raise, which stops the call

    An exception of a callback comes out again. Its attribute `partial` has the Rollouts until then. BadRows: sequences
    ended because logits hold no distribution; its `result` has them all."""
    callbacks, made = Callbacks(), Rollouts._empty()
    lists = texts("prompts", prompts)
    chosen = rollout_options(callbacks, lists.n * (repeats or 1), budget=budget, beta=beta, behavior=behavior,
                             temperature=temperature, top_k=top_k, sampler=sampler, stop=stop, ends=ends,
                             max_tokens=max_tokens, max_length=max_length, repeats=repeats, batch=batch, block=block,
                             keep_bytes=keep_bytes, tolerance=tolerance, method=method, progress=progress)
    s, t = callbacks.model(student), callbacks.model(teacher)
    return callbacks.call(ctx, "trb_rollout", s, t, lists, chosen,
                          ctypes.byref(made._handle.pointer), result=made, partial=made)


def score(rollouts: Rollouts, student: Optional[Model] = None, teacher: Optional[Model] = None, *, batch_bytes: int = 0,
          keep_bytes: int = 0, progress: Optional[Progress] = None, ctx: Optional[Context] = None) -> Rollouts:
    """Asks the models about sampled tokens that they have not seen, whole responses at a time, and fills in log_student
    and entropy_student, log_teacher and entropy_teacher. Returns the rollouts, which serve no other call meanwhile.

    batch_bytes: most bytes of logits at a time; 0: 256 MiB
    keep_bytes, progress: as for rollout()"""
    callbacks = Callbacks()
    options = struct(c.trb_score_options, batch_bytes=batch_bytes, keep_bytes=keep_bytes,
                     progress=callbacks.progress(progress))
    s, t = callbacks.model(student), callbacks.model(teacher)
    return callbacks.call(ctx, rollouts._handle.lent(library.trb_score, writes=True), s, t, options,
                          rollouts._handle.pointer, result=rollouts)


def read(made, given):
    """A named tuple of the struct's fields of the same names."""
    return made(*(getattr(given, name) for name in made._fields))


class Totals(NamedTuple):
    """What a trainer logs of a batch of rollouts: the fields of trb_totals in trb.h."""
    sequences: int
    tokens: int
    stopped_token: int
    stopped_length: int
    stopped_row: int
    unfinished: int
    shortest: int
    longest: int
    infinite: int
    mean_length: float
    sequence_kl: float
    sequence_bound: float
    saturated: float
    beta: float
    log_behavior: float
    log_student: float
    log_teacher: float
    kl_student: float
    kl_teacher: float
    reverse_kl: float
    entropy_student: float
    entropy_teacher: float
    tv: float
    proposed: int
    accepted: int
    corrected: int


def totals(rollouts: Rollouts, *, ctx: Optional[Context] = None) -> Totals:
    """What a trainer logs of a batch of rollouts: means over tokens, counts, reasons to stop. Returns Totals."""
    out = struct(c.trb_totals)
    call(ctx, rollouts._handle.lent(library.trb_rollouts_totals), rollouts._handle.pointer, out)
    return read(Totals, out)

"""Rollouts: sample them, score them, sum them up."""

import ctypes
from collections import namedtuple

import numpy as np

from . import _declarations as c
from ._arrays import numbers
from ._library import call, library
from ._structs import struct
from ._texts import texts
from .blend import Sampler, solver
from .enums import Behavior, choice
from .models import Callbacks


class _Memory:
    """Lends the library's memory to NumPy and keeps the owner alive as long as an array needs it."""

    def __init__(self, owner, where, n, dtype):
        self.owner = owner
        self.__array_interface__ = {"version": 3, "shape": (n,), "typestr": np.dtype(dtype).str, "data": (where, True)}


class _Handle:
    """What trb_rollouts_free ends."""

    def __init__(self):
        self.pointer = ctypes.POINTER(c.trb_rollouts)()

    def __del__(self):
        if self.pointer:
            library.trb_rollouts_free(self.pointer)


def _array(name, dtype, length, text):
    def read(self):
        n = length(self)
        if n == 0:
            return np.zeros(0, dtype)
        return np.asarray(_Memory(self._handle, getattr(self._handle.pointer.contents, name), n, dtype))
    return property(read, doc=text)


def _number(name, text):
    return property(lambda self: getattr(self._handle.pointer.contents, name), doc=text)


class Rollouts:
    """Sequences, and what is known of each sampled token: read-only arrays, NaN where something is not known. The
    sampled tokens of sequence i are numbers offset[i] to offset[i + 1] - 1.

    Made by rollout(), or of sequences that come from elsewhere:

    sequences: token lists, prompts with responses
    prompt_length: [sequences] tokens of each that are the prompt
    log_sampled: [tokens of all responses] log-probabilities of whoever sampled them
    ends: pairs of tokens, as for rollout()"""

    def __init__(self, sequences, prompt_length, *, log_sampled=None, ends=(), ctx=None):
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

    def __len__(self):
        return self.n

    def prompt(self, i):
        """The tokens of a sequence before those that were sampled."""
        i = range(self.n)[i]
        sampled = self.offset[i + 1] - self.offset[i]
        return self.text[self.text_offset[i]:self.text_offset[i + 1] - sampled]

    def response(self, i):
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


def _fields():
    """The other arrays of trb_rollouts, by what their elements are."""
    per_token = {np.float64: "log_sampled log_behavior log_student log_teacher beta kl_student kl_teacher reverse_kl "
                             "entropy_student entropy_teacher tv", np.int64: "token argmax_teacher",
                 np.int32: "status verdict"}
    for dtype, names in per_token.items():
        for name in names.split():
            setattr(Rollouts, name, _array(name, dtype, lambda self: self.n_tokens, f"[n_tokens] {name} in trb.h."))
    for name, dtype in {"stream": np.uint64, "stop": np.int32, "row": np.int32}.items():
        setattr(Rollouts, name, _array(name, dtype, lambda self: self.n, f"[n] {name} in trb.h."))


_fields()


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


def rollout(student, teacher, prompts, *, repeats=1, ctx=None, **options):
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
    repeats: sequences per prompt: sequence i continues prompt i // repeats
    batch: most sequences per callback; 0: all
    block: most tokens that the student proposes before the teacher is asked; 0: none
    keep_bytes: teacher logits are kept for the loss as long as they fit in so many bytes
    tolerance, method: as for solve()
    progress: called with (sequences finished, of all) after every step; may raise, which stops the call

    An exception of a callback comes out again. Its attribute `partial` has the Rollouts until then. BadRows: sequences
    ended because logits hold no distribution; its `result` has them all."""
    callbacks, made = Callbacks(), Rollouts._empty()
    lists = texts("prompts", prompts)
    chosen = rollout_options(callbacks, lists.n * repeats, repeats=repeats, **options)
    s, t = callbacks.model(student), callbacks.model(teacher)
    return callbacks.call(ctx, "trb_rollout", s, t, lists, chosen,
                          ctypes.byref(made._handle.pointer), result=made, partial=made)


def score(rollouts, student=None, teacher=None, *, batch_bytes=0, keep_bytes=0, progress=None, ctx=None):
    """Asks the models about sampled tokens that they have not seen, whole responses at a time, and fills in log_student
    and entropy_student, log_teacher and entropy_teacher. Returns the rollouts.

    batch_bytes: most bytes of logits at a time; 0: 256 MiB
    keep_bytes, progress: as for rollout()"""
    callbacks = Callbacks()
    options = struct(c.trb_score_options, batch_bytes=batch_bytes, keep_bytes=keep_bytes,
                     progress=callbacks.progress(progress))
    s, t = callbacks.model(student), callbacks.model(teacher)
    return callbacks.call(ctx, "trb_score", s, t, options, rollouts._handle.pointer,
                          result=rollouts)


def plain(kind, name):
    """A named tuple of a struct's fields, but for those that say nothing."""
    fields = [field for field, _ in kind._fields_ if field not in ("size", "reserved")]
    made = namedtuple(name, fields)
    made.of = classmethod(lambda cls, x: cls(*(getattr(x, field) for field in fields)))
    made.__doc__ = f"The fields of {kind.__name__} in trb.h."
    return made


Totals = plain(c.trb_totals, "Totals")


def totals(rollouts, *, ctx=None):
    """What a trainer logs of a batch of rollouts: means over tokens, counts, reasons to stop. Returns Totals."""
    out = struct(c.trb_totals)
    call(ctx, "trb_rollouts_totals", rollouts._handle.pointer, out)
    return Totals.of(out)

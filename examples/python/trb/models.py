"""Models as callbacks, and what becomes of an exception in one."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
import traceback
from typing import Any, Callable, List, NamedTuple, Optional

import numpy as np

from . import _declarations as c
from ._arrays import DTYPES
from ._library import call
from ._structs import struct
from .errors import CallbackError

NUMPY = {c.TRB_F32: np.float32, c.TRB_F16: np.float16, c.TRB_BF16: np.uint16}


class Query(NamedTuple):
    """What a model is asked about one sequence: the next-token logits after each of its last `rows` tokens.

    tokens: [length] the prompt and what follows it so far
    sequence: its number
    known: this model was shown so many of the tokens for this sequence earlier in the same call: what a cache may keep
    rows: >= 1
    proposed: so many of its last tokens are proposals, which may be dropped again"""
    tokens: np.ndarray
    sequence: int
    known: int
    rows: int
    proposed: int


Callback = Callable[[List[Query], np.ndarray], Any]
Progress = Callable[[int, int], Any]


class Model:
    """A model.

    forward(queries, out): fills out, [rows of all queries, vocab], in the order of the queries, a list of Query
    backward(queries, grad): of a student that train_step() trains: takes the gradient of the objective with respect to
        the logits that forward just gave, and adds what follows from it to the gradient of the parameters
    vocab: its tokens
    dtype: of the logits, "float32", "float16" or "bfloat16"; NumPy has no bfloat16: such arrays are uint16 with its bits
    temperature: its distribution is the softmax of its logits divided by this; 0 means 1

    Arrays are the library's memory and gone when the callback returns. An exception in a callback stops the call and
    comes out of it again; its traceback is whole, but the local variables of the callback's frames are cleared, since
    they may be such arrays. A callback may use the library, but not the context of the call."""

    def __init__(self, forward: Callback, vocab: int, *, backward: Optional[Callback] = None, dtype: str = "float32",
                 temperature: float = 1.0) -> None:
        if dtype not in DTYPES:
            raise ValueError(f"dtype: expected one of {sorted(DTYPES)}, got {dtype!r}")
        self.forward, self.backward = forward, backward
        self.vocab, self.dtype, self.temperature = vocab, dtype, temperature


class Callbacks:
    """The callbacks of one call, and the exception that one of them raised."""

    def __init__(self):
        self._made, self._error = [], None

    def _callback(self, kind, function):
        """A C function that keeps an exception and then returns 0, which stops the call."""
        def guarded(*arguments):
            outer = sys.exc_info()[1]
            try:
                if self._error is not None:
                    return 0
                function(*arguments)
                return c.TRB_CONTINUE
            except BaseException as error:  # KeyboardInterrupt, too, must not be lost in the library
                _clear_frames(error, outer)
                self._error = error
                return 0

        self._made.append(kind(guarded))
        return self._made[-1]

    def model(self, model):
        """A trb_model; NULL for None."""
        if model is None:
            return None
        made = struct(c.trb_model, vocab=model.vocab, dtype=DTYPES[model.dtype], temperature=model.temperature)
        made.forward = self._callback(c.trb_forward_fn, lambda queries, n, out, user:
                                      model.forward(_queries(queries, n), _rows(out.contents)))
        if model.backward is not None:
            made.backward = self._callback(c.trb_backward_fn, lambda queries, n, grad, user:
                                           model.backward(_queries(queries, n), _rows(grad.contents)))
        return made

    def progress(self, function):
        """A trb_progress_fn; NULL for None."""
        if function is None:
            return c.trb_progress_fn()
        return self._callback(c.trb_progress_fn, lambda done, total, user: function(done, total))

    def judge(self, function):
        """A trb_judge_fn of a function (tokens, prompt length, sequence) -> reward."""
        def judged(tokens, length, prompt, sequence, out, user):
            ctypes.c_double.from_address(out).value = float(function(_copy(tokens, length), prompt, sequence))

        return self._callback(c.trb_judge_fn, judged)

    def _early(self, before):
        """An unraisablehook: keeps what was raised in guarded() before its `try`, where a signal that waited for the
        interpreter is handled. ctypes drops it."""
        def hook(raised):
            frame = raised.exc_traceback.tb_frame if raised.exc_traceback else None
            if frame and frame.f_code.co_name == "guarded" and frame.f_locals.get("self") is self:
                self._error = raised.exc_value
            else:
                before(raised)
        return hook

    def call(self, ctx, function, *arguments, result=None, partial=None):
        """As the library's call(). An exception of a callback gets the attribute `partial`."""
        before, hook = sys.unraisablehook, None
        if threading.current_thread() is threading.main_thread():  # where signals are handled
            hook = self._early(before)
        try:
            if hook is not None:
                sys.unraisablehook = hook
            done = call(ctx, function, *arguments, result=result)
        except CallbackError:
            if self._error is None:
                raise
        finally:
            if sys.unraisablehook is hook:
                sys.unraisablehook = before
            self._made.clear()  # they refer to this object, and it to them
        if self._error is None:
            return done
        with contextlib.suppress(Exception):  # some take no attributes
            self._error.partial = partial
        try:
            raise self._error
        finally:
            self._error = None  # or its traceback would keep this frame, and this frame it


def _clear_frames(error, outer):
    """The local variables on the way of an exception, and of those that led to it since `outer`, are let go. What prints
    the locals of a traceback would read memory that the library has freed."""
    seen = {id(outer)}
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _copy(address, n):
    copy = np.empty(n, np.int64)
    ctypes.memmove(copy.ctypes.data, address, copy.nbytes)
    return copy


def _queries(queries, n):
    asked = (queries[i] for i in range(n))
    return [Query(_copy(q.tokens, q.length), q.sequence, q.known, q.rows, q.proposed) for q in asked]


def _rows(view):
    dtype = np.dtype(NUMPY[view.dtype])
    memory = (ctypes.c_char * (view.rows * view.stride * dtype.itemsize)).from_address(view.data)
    return np.frombuffer(memory, dtype).reshape(view.rows, view.stride)[:, :view.vocab]

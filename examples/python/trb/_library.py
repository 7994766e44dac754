"""Finds libtrb, checks it against the declarations, and calls it."""

from __future__ import annotations

import ctypes
import numbers
import os
import pathlib
import threading
import weakref
from typing import Any, Union

import numpy as np

from . import _declarations as c
from ._structs import address, struct
from .enums import Isa, choice
from .errors import BadRows, CallbackError, Error, InvalidArgument, OutOfMemory

HERE = pathlib.Path(__file__).resolve().parent
SONAME = f"libtrb.so.{c.VERSION[0]}"


def _path():
    """TRB_LIBRARY; else the library that lies beside this file, as in a wheel; else that of the checkout that this file
    is part of, where one is built; else the system's."""
    if os.environ.get("TRB_LIBRARY"):
        return os.environ["TRB_LIBRARY"]
    tree = HERE.parents[2] / "build" / "default" if len(HERE.parents) > 2 else HERE
    for path in (HERE / SONAME, tree / SONAME):
        if path.exists():
            return str(path)
    return SONAME


def _load():
    path = _path()
    try:
        library = ctypes.CDLL(path)
        for name, (result, parameters) in c.FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, parameters
    except (OSError, AttributeError) as error:
        raise ImportError(f"libtrb: {error}; install it, or let TRB_LIBRARY name libtrb.so") from error
    number = library.trb_version()
    version = (number >> 16, number >> 8 & 255, number & 255)
    if version[0] != c.VERSION[0] or version < c.VERSION:
        raise ImportError(f"libtrb: expected version {c.VERSION} or later of the same major, {path} has {version}")
    for struct in c.STRUCTS:
        size, ours = ctypes.c_int64(), ctypes.sizeof(struct)
        library.trb_constant(f"sizeof({struct.__name__})".encode(), ctypes.byref(size))
        grows = struct._fields_[0][0] == "size"  # such a struct may have grown at its end
        if size.value < ours or (size.value > ours and not grows):
            raise ImportError(f"libtrb: expected {struct.__name__} to have {ours} bytes, {path} has {size.value}")
    return library


library = _load()


class Context:
    """Threads, instruction set and the text of the last error. A context serves one call at a time: another thread's
    call waits, and one from within a callback of the same context is a RuntimeError. Without one, every thread of Python
    has a context of its own with one thread.

    threads: that work on a call, the caller included
    isa: an Isa or its name in lower case; results are the same for all

    Ends when it is no longer referred to, at close(), or at the end of a `with` statement."""

    def __init__(self, threads: int = 1, isa: Union[Isa, str] = "auto") -> None:
        why, handle = ctypes.create_string_buffer(400), ctypes.c_void_p()
        options = struct(c.trb_context_options, threads=threads, isa=choice(Isa, "isa", isa),
                         error=ctypes.addressof(why), error_bytes=len(why))
        status = library.trb_context_new(ctypes.byref(options), ctypes.byref(handle))
        if status != c.TRB_OK:
            raise _error(status, why.value)
        self._handle = handle.value
        self._lock, self._holder = threading.Lock(), None
        self._end = weakref.finalize(self, library.trb_context_free, self._handle)
        self._end.atexit = False  # a daemon thread may be in a call

    @property
    def isa(self) -> Isa:
        """The Isa whose kernels run."""
        return Isa(self._run(library.trb_context_isa)[0])

    def close(self) -> None:
        """Ends the context and its threads."""
        self._refuse_callbacks()
        with self._lock:
            self._handle = None  # first: an interrupt may come out of the next line
            self._end()

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __reduce__(self):
        raise TypeError("a context cannot be copied or pickled")

    def _refuse_callbacks(self):
        if self._holder == threading.get_ident():
            raise RuntimeError("a callback may not use the context of the call that it serves")

    def _run(self, function, *arguments):
        """What the function returns, and the error's text."""
        self._refuse_callbacks()
        with self._lock:
            if self._handle is None:
                raise ValueError("the context is closed")
            self._holder = threading.get_ident()
            try:
                status = function(self._handle, *arguments)
                return status, library.trb_context_error(self._handle) if status else b""
            finally:
                self._holder = None


_own = threading.local()


def _default():
    """The context of this thread, or of this depth of callbacks within it."""
    free = _own.__dict__.setdefault("contexts", [])
    for context in free:
        if context._holder is None:
            return context
    free.append(Context())
    return free[-1]


ERRORS = {c.TRB_EINVAL: InvalidArgument, c.TRB_ENOMEM: OutOfMemory, c.TRB_EROWS: BadRows,
          c.TRB_ECALLBACK: CallbackError}


def _error(status, text, result=None):
    return ERRORS.get(status, Error)(text.decode() or library.trb_strerror(status).decode(), status, result)


def _passed(x):
    if isinstance(x, (np.ndarray, ctypes.Structure)):
        return address(x)
    if isinstance(x, numbers.Integral) and not -2 ** 63 <= x < 2 ** 63:  # ctypes would cut it
        raise OverflowError(f"expected a number of 64 bits, got {x}")
    return x


def call(ctx, function, *arguments, result=None):
    """Calls a function, or the library's of that name, that takes a context first. Arrays and structs are handed over
    by their addresses. Returns `result`, or what it returns if it is a function; BadRows carries that instead."""
    if isinstance(function, str):
        function = getattr(library, function)
    status, text = (ctx or _default())._run(function, *map(_passed, arguments))
    if status not in (c.TRB_OK, c.TRB_EROWS):
        raise _error(status, text)
    if callable(result):
        result = result()
    if status == c.TRB_EROWS:
        raise _error(status, text, result)
    return result

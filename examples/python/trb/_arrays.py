"""Arrays and tensors as what the library takes: views of logits, and vectors of numbers."""

from __future__ import annotations

import math
from typing import Any, Optional, Protocol, Sequence, Union

import numpy as np
import numpy.typing as npt

from . import _declarations as c

DTYPES = {"float32": c.TRB_F32, "float16": c.TRB_F16, "bfloat16": c.TRB_BF16}
_NAMES = {np.dtype(name): name for name in ("float32", "float16")}  # NumPy takes long to make up a name


class HasInterface(Protocol):
    @property
    def __array_interface__(self) -> dict[str, Any]: ...


class HasDLPack(Protocol):
    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any: ...


Memory = Union[np.ndarray, HasInterface, HasDLPack]  # a PyTorch tensor has both
Numbers = npt.ArrayLike
Texts = Sequence[npt.ArrayLike]  # token lists


class Logits:
    """Logits [..., vocab] with what an array does not say of itself.

    array: a NumPy array, a PyTorch tensor on the CPU, or what has __array_interface__ or __dlpack__; it is not copied
    temperature: logits are divided by it; 0 means 1
    dtype: "bfloat16" for a NumPy array of uint16 that holds the bits of bfloat16"""

    def __init__(self, array: Memory, temperature: float = 1.0, dtype: Optional[str] = None) -> None:
        if dtype not in (None, "bfloat16"):
            raise ValueError(f"dtype: expected None or 'bfloat16', got {dtype!r}")
        self.array, self.temperature, self.dtype = array, temperature, dtype


LogitsLike = Union[Logits, Memory]


def view(name, logits, shape=None, writable=False):
    """A trb_logits of an argument, with the shape of its rows as `shape`. `shape`: the one that they must have."""
    temperature, stated = 0.0, None
    if isinstance(logits, Logits):
        logits, temperature, stated = logits.array, logits.temperature, logits.dtype
    array, address, of, sizes, steps = _memory(name, logits, writable)
    if stated is not None:
        if of not in ("uint16", "bfloat16"):
            raise ValueError(f"{name}: expected uint16 where dtype is bfloat16, got {of}")
        of = stated
    if of not in DTYPES:
        raise TypeError(f"{name}: expected float32, float16 or bfloat16, got {of}")
    if len(sizes) == 0:
        raise ValueError(f"{name}: expected [..., vocab], got a scalar")
    *rows, vocab = sizes
    if shape is not None and tuple(rows) != shape:
        raise ValueError(f"{name}: expected rows of shape {shape}, got {tuple(rows)}")
    if vocab > 1 and steps[-1] != 1 and 0 not in rows:
        raise ValueError(f"{name}: expected the last axis to be contiguous, got steps of {steps[-1]} elements: pass a copy, "
                         "such as x.contiguous() or np.ascontiguousarray(x)")
    made = c.trb_logits(address, math.prod(rows), vocab, _stride(name, rows, steps, vocab), DTYPES[of], temperature)
    made.shape, made.array = tuple(rows), array
    return made


def _stride(name, rows, steps, vocab):
    """The one distance between neighboring rows."""
    if 0 in rows:  # NumPy has no strides for such an array
        return vocab
    stride, span = None, 1
    for size, step in zip(reversed(rows), reversed(steps[:-1])):
        if size == 1:
            continue
        if stride is None:
            stride = step
        elif step != span:
            raise ValueError(f"{name}: expected rows at one distance from each other, got shape {tuple(rows)} with steps of "
                             f"{tuple(steps[:-1])} elements: pass a copy, or all rows and weight 0 where they do not count")
        span = step * size
    return vocab if stride is None else stride


def _memory(name, x, writable):
    """(what keeps it alive, address, name of the type, sizes, steps in elements)"""
    if hasattr(x, "data_ptr"):
        if x.device.type != "cpu":
            raise ValueError(f"{name}: expected a tensor on the CPU, got one on {x.device}")
        if writable and x.requires_grad and x.is_leaf:
            raise ValueError(f"{name}: expected memory to write to, got a parameter that requires a gradient: detach() it")
        return x, x.data_ptr(), str(x.dtype).rpartition(".")[2], tuple(x.shape), x.stride()
    if not isinstance(x, np.ndarray):
        if hasattr(x, "__array_interface__"):
            x = np.asarray(x)
        elif hasattr(x, "__dlpack__"):
            x = np.from_dlpack(x)
        else:
            raise TypeError(f"{name}: expected an array or a tensor of logits, got {type(x).__name__}")
    if writable and not x.flags.writeable:
        raise ValueError(f"{name}: expected memory to write to, got a read-only array")
    if not x.dtype.isnative:
        raise TypeError(f"{name}: expected this machine's byte order, got {x.dtype!r}")
    if x.itemsize == 0 or any(step % x.itemsize for step in x.strides):
        raise ValueError(f"{name}: expected steps in whole elements, got {x.strides} bytes")
    steps = tuple(step // x.itemsize for step in x.strides)
    return x, x.ctypes.data, _NAMES.get(x.dtype) or x.dtype.name, x.shape, steps


def _like(x, shape):
    if hasattr(x, "new_empty"):
        return x.new_empty(shape, requires_grad=False)
    return np.empty(shape, x.dtype)


def output(name, wanted, logits, viewed):
    """What `out` and `grad` arguments mean: None or False for nothing, True for a new array like `logits`, of which
    `viewed` is the view, else where to write. Returns (array, trb_logits), both None for nothing."""
    if wanted is None or wanted is False:
        return None, None
    if wanted is not True:
        return wanted, view(name, wanted, viewed.shape, writable=True)
    made = _like(viewed.array, (*viewed.shape, viewed.vocab))
    stated = logits.dtype if isinstance(logits, Logits) else None
    return made, view(name, Logits(made, dtype=stated), viewed.shape)


def numbers(name, x, dtype, shape):
    """x as a contiguous array of that type and shape; None stays None."""
    if x is None:
        return None
    array = np.asarray(x)
    if np.issubdtype(dtype, np.integer) and array.size:
        if not np.issubdtype(array.dtype, np.integer):
            raise TypeError(f"{name}: expected integers, got {array.dtype}")
        limits = np.iinfo(dtype)
        for value in () if np.can_cast(array.dtype, dtype) else (int(array.min()), int(array.max())):
            if not limits.min <= value <= limits.max:
                raise ValueError(f"{name}: expected numbers from {limits.min} to {limits.max}, got {value}")
    if array.shape != shape:
        raise ValueError(f"{name}: expected shape {shape}, got {array.shape}")
    return np.ascontiguousarray(array, dtype).reshape(shape)


def per_row(name, x, shape):
    """(array, n): one number for all rows, or one for each."""
    array = np.asarray(x, np.float64)
    if array.ndim == 0:
        return array.reshape(1), 1
    array = numbers(name, array, np.float64, shape)
    return array, array.size

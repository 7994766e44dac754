"""Structs and records of the library's types."""

import ctypes
import numbers

import numpy as np


def address(x):
    """Where an array's elements or a struct lie."""
    return x.ctypes.data if isinstance(x, np.ndarray) else ctypes.addressof(x)


def struct(kind, /, **fields):
    """A struct with its `size` set. Arrays and structs become pointers to them and live as long as it does; None is
    NULL or 0. A number that does not fit its field is an OverflowError."""
    made, made_of = kind(), []
    if kind._fields_[0][0] == "size":
        made.size = ctypes.sizeof(kind)
    for name, value in fields.items():
        if value is None:
            continue
        if isinstance(value, np.ndarray):
            made_of.append(value)
            value = address(value)
        elif isinstance(value, ctypes.Structure):
            made_of.append(value)
            value = ctypes.pointer(value)
        elif isinstance(value, numbers.Integral):
            value = int(value)
        setattr(made, name, value)
        if isinstance(value, int) and getattr(made, name) != value and value != 0:
            raise OverflowError(f"{name}: expected a number of {8 * getattr(kind, name).size} bits, got {value}")
    made.made_of = made_of
    return made


_dtypes = {}


def records(kind, shape):
    """A new record array: fields of the struct are attributes, each an array of that shape."""
    if kind not in _dtypes:
        _dtypes[kind] = np.dtype((np.record, np.dtype(kind)))
    return np.zeros(shape, _dtypes[kind]).view(np.recarray)


def given_records(name, x, kind, shape):
    """Records that an earlier call returned."""
    array = np.asarray(x)
    if array.dtype != records(kind, 0).dtype:
        raise TypeError(f"{name}: expected records of {kind.__name__}, got {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"{name}: expected shape {shape}, got {array.shape}")
    return np.ascontiguousarray(array).reshape(shape)

"""Uses an installed libtrb from Python, without a compiler: consumer.py LIBRARY LAYOUT VERSION

LAYOUT is test/abi/layout.txt: every constant and every struct size in it must be what trb_constant says.
"""

import ctypes
import re
import sys


class Logits(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("rows", ctypes.c_int64), ("vocab", ctypes.c_int64),
                ("stride", ctypes.c_int64), ("dtype", ctypes.c_int32), ("temperature", ctypes.c_float)]


class Blend(ctypes.Structure):
    _fields_ = [(name, ctypes.c_double) for name in ("beta", "multiplier", "kl_student", "kl_teacher", "reverse_kl",
                                                     "log_norm", "lse_student", "lse_teacher")]
    _fields_ += [("status", ctypes.c_int32), ("passes", ctypes.c_int32), ("support", ctypes.c_int64),
                 ("mass", ctypes.c_float * 32)]


library, layout, version = sys.argv[1:]
trb = ctypes.CDLL(library)
trb.trb_version.restype = ctypes.c_uint32
trb.trb_strerror.restype = ctypes.c_char_p
trb.trb_strerror.argtypes = [ctypes.c_int32]
trb.trb_constant.argtypes = [ctypes.c_char_p, ctypes.POINTER(ctypes.c_int64)]
trb.trb_solve.argtypes = [ctypes.c_void_p, ctypes.POINTER(Logits), ctypes.POINTER(Logits),
                          ctypes.POINTER(ctypes.c_double), ctypes.c_int64, ctypes.c_void_p, ctypes.POINTER(Blend)]


def constant(name):
    value = ctypes.c_int64()
    status = trb.trb_constant(name.encode(), ctypes.byref(value))
    assert status == 0, f"trb_constant({name}): {trb.trb_strerror(status).decode()}"
    return value.value


number = trb.trb_version()
assert f"{number >> 16}.{number >> 8 & 255}.{number & 255}" == version, hex(number)

entries = re.findall(r"^(\w+|sizeof\(\w+\)) = (-?\d+)", open(layout, encoding="utf-8").read(), flags=re.M)
assert entries
for name, value in entries:
    assert constant(name) == int(value), f"{name}: {constant(name)}, not {value}"
assert ctypes.sizeof(Logits) == constant("sizeof(trb_logits)")
assert ctypes.sizeof(Blend) == constant("sizeof(trb_blend)")

vocab, budget = 5, ctypes.c_double(0.05)
student = (ctypes.c_float * vocab)(0.5, 1.5, -1.0, 0.0, 2.0)
teacher = (ctypes.c_float * vocab)(3.0, -1.0, 0.0, 0.5, -4.0)
views = [Logits(ctypes.addressof(row), 1, vocab, vocab, constant("TRB_F32"), 1.0) for row in (student, teacher)]
blend = Blend()
status = trb.trb_solve(None, views[0], views[1], ctypes.byref(budget), 1, None, ctypes.byref(blend))
assert status == constant("TRB_OK"), trb.trb_strerror(status).decode()
assert blend.status == constant("TRB_ROW_BLENDED"), blend.status
assert 0 < blend.beta < 1 and 0 < blend.kl_student <= budget.value * (1 + 1e-6), (blend.beta, blend.kl_student)
print(f"Python: {len(entries)} constants, beta {blend.beta:.3f}, KL {blend.kl_student:.4f} of {budget.value:.4f}")

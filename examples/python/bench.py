"""What a call costs from Python, against the same call by ctypes with everything prepared.

usage: python3 bench.py

What ctypes itself adds to C is shown by trb_version, which does nothing. Medians of 200."""

import ctypes
import statistics
import time

import numpy as np

import trb
from trb import _declarations as c
from trb._library import library


def median(call):
    times = []
    for _ in range(200):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return 1e6 * statistics.median(times)


def main():
    print(f"trb_version: {median(library.trb_version):.2f} us")
    print(f"{'rows':>4} {'vocab':>7} {'ctypes, us':>11} {'trb.solve, us':>14} {'ratio':>6}")
    rng = np.random.default_rng(0)
    for rows, vocab in ((1, 100), (1, 32000), (1, 151936), (8, 151936)):
        student = rng.normal(size=(rows, vocab)).astype(np.float32)
        teacher = student + rng.normal(size=student.shape).astype(np.float32)
        views = [c.trb_logits(x.ctypes.data, rows, vocab, vocab) for x in (student, teacher)]
        budget, out = ctypes.c_double(0.05), (c.trb_blend * rows)()
        prepared = [None, *map(ctypes.addressof, views), ctypes.addressof(budget), 1, None, ctypes.addressof(out)]
        bare = median(lambda: library.trb_solve(*prepared))
        full = median(lambda: trb.solve(student, teacher, 0.05))
        print(f"{rows:4} {vocab:7} {bare:11.1f} {full:14.1f} {full / bare:6.2f}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What the same problem takes in PyTorch: peer.py LIBRARY [OPTION...]

For rows in f32 both look for the weight of the teacher at which KL(mu||p) is the budget: PyTorch by bisection on the
multiplier, every step a log-softmax over the vocabulary, libtrb by trb_solve on the same memory.  One thread each, one
row at a time, one after the other, after a solve and a step of the bisection that nobody times; a ratio is the median
over rows of that of two times of one row.  `beta` is libtrb's, `off` the largest relative difference from it.
"""

import argparse
import ctypes
import math
import operator
import statistics
import time

import torch


class Logits(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("rows", ctypes.c_int64), ("vocab", ctypes.c_int64),
                ("stride", ctypes.c_int64), ("dtype", ctypes.c_int32), ("temperature", ctypes.c_float)]


def constant(trb, name):
    value = ctypes.c_int64()
    assert trb.trb_constant(name.encode(), ctypes.byref(value)) == 0, name
    return value.value


class Library:
    def __init__(self, path):
        self.trb = ctypes.CDLL(path)
        self.f32 = constant(self.trb, "TRB_F32")
        # Only the first field is read, whatever else the record holds.
        self.blend = (ctypes.c_double * (constant(self.trb, "sizeof(trb_blend)") // 8))()

    def solve(self, student, teacher, budget):
        """The weight of the teacher in a row."""
        views = [Logits(row.data_ptr(), 1, row.numel(), row.numel(), self.f32, 1.0) for row in (student, teacher)]
        status = self.trb.trb_solve(None, ctypes.byref(views[0]), ctypes.byref(views[1]),
                                    ctypes.byref(ctypes.c_double(budget)), ctypes.c_int64(1), None, self.blend)
        assert status == 0, status
        return self.blend[0]


def bisect(student, teacher, budget, steps):
    """The same by halving the range of the multiplier (1 - beta) / beta, which is between e^-10 and e^10, by its
    logarithm."""
    log_p = torch.log_softmax(student, -1)
    log_q = torch.log_softmax(teacher, -1)
    low, high = -10.0, 10.0
    for _ in range(steps):
        middle = (low + high) / 2
        beta = 1 / (1 + math.exp(middle))
        log_mu = torch.log_softmax(torch.lerp(log_p, log_q, beta), -1)
        if (log_mu.exp() * (log_mu - log_p)).sum().item() > budget:
            low = middle
        else:
            high = middle
    return 1 / (1 + math.exp(high))


def draw(family, rows, vocab):
    """Rows like those of the C program.  Not masked ones, where the PyTorch above has -inf - -inf, and not flat ones,
    where the teacher is inside the budget."""
    def normal(scale):
        return scale * torch.randn(rows, vocab)

    def spikes():
        return torch.where(torch.rand(rows, vocab) < 2e-4, 10 * torch.rand(rows, vocab), torch.zeros(()))

    scale = {"spiky": 2.0, "peaked": 4.0, "disagreeing": 2.0}[family]
    student = normal(scale) + spikes()
    teacher = normal(scale) + spikes() if family == "disagreeing" else student + normal(0.4 * scale)
    return student, teacher


def timed(function, *arguments):
    start = time.perf_counter()
    beta = function(*arguments)
    return beta, time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("--vocab", type=int, default=151936)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--budget", type=float, default=0.02)
    a = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    library = Library(a.library)
    print(f"PyTorch {torch.__version__}, one thread; V = {a.vocab}, budget {a.budget:g}, medians of {a.rows} rows")
    print(f"{'rows':12} {'steps':>5} {'PyTorch, us':>12} {'libtrb, us':>11} {'ratio':>7} {'beta':>8} {'off':>8}")
    for family in ("spiky", "peaked", "disagreeing"):
        student, teacher = draw(family, a.rows, a.vocab)
        for steps in (16, 50):
            peers, ours, betas, off = [], [], [], 0.0
            for s, t in zip(student, teacher):
                library.solve(s, t, a.budget)
                bisect(s, t, a.budget, 1)
                beta, our = timed(library.solve, s, t, a.budget)
                peer_beta, peer = timed(bisect, s, t, a.budget, steps)
                peers.append(peer)
                ours.append(our)
                betas.append(beta)
                off = max(off, abs(peer_beta / beta - 1))
            ratio = statistics.median(map(operator.truediv, peers, ours))
            print(f"{family:12} {steps:5} {statistics.median(peers) * 1e6:12.0f} {statistics.median(ours) * 1e6:11.0f} "
                  f"{ratio:7.1f} {statistics.median(betas):8.4f} {off:8.1e}", flush=True)


main()

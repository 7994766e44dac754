"""What a type checker makes of the package: mypy --strict reads this file, nobody runs it."""

from typing import Any, List

import numpy as np
import numpy.typing as npt

import trb


def solve(student: npt.NDArray[Any], teacher: trb.Logits) -> float:
    with trb.Context(threads=2, isa=trb.Isa.AUTO) as ctx:
        blend = trb.solve(student, teacher, 0.05, method=trb.Method.BISECTION, ctx=ctx)
        draw = trb.sample(student, teacher, blend, trb.Sampler(seed=1, stream=[1, 2]))
        loss, grad, rows = trb.reverse_kl(student, teacher, form="tail_bucket", support="student_top_k", k=9, grad=True)
        assert rows is None
        trb.reverse_kl(student, teacher, grad=trb.Logits(student, dtype="bfloat16"))
        trb.write_blend(student, teacher, blend, out=trb.Logits(student, dtype="bfloat16"))
        trb.mask_tokens(student, [1])
    return float(loss.sum()) + float(draw.log_behavior[0])


def forward(queries: List[trb.Query], out: npt.NDArray[Any]) -> None:
    for row, query in enumerate(queries):
        out[row] = query.tokens[-1] + query.known


def train(schedule: trb.Schedule) -> trb.Report:
    model = trb.Model(forward, 8, backward=forward)
    rollouts = trb.rollout(model, model, [[1, 2], np.array([3])], budget=schedule(3), max_tokens=4, stop=[7],
                           progress=lambda done, total: None)
    stops: npt.NDArray[Any] = rollouts.stop
    assert [trb.Stop(stop) for stop in stops]
    totals = trb.totals(rollouts)
    step = trb.train_step(model, None, rollouts, objective="token", estimator="nll", norm=trb.Norm.NONE)
    lists = trb.Sparse([[1, 2]], [[-1.0, -2.0]])
    trb.solve_sparse(np.zeros((1, 8), np.float32), lists, [totals.kl_student])
    return step.report

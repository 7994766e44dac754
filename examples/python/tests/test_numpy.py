"""The package on NumPy arrays, against the mathematics in double precision."""

import copy
import dataclasses
import gc
import pickle
import signal
import subprocess
import sys
import threading
import traceback
import unittest
import weakref

import numpy as np

import trb
from trb import _declarations as c

V = 37


def rows(*shape, seed=0):
    rng = np.random.default_rng(seed)
    student = rng.normal(size=(*shape, V)).astype(np.float32)
    return student, student + rng.normal(size=(*shape, V)).astype(np.float32)


def log_softmax(x):
    x = np.asarray(x, np.longdouble)
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def kl(a, b):
    return (np.exp(a) * (a - b)).sum(-1)


def blended(student, teacher, beta):
    return log_softmax((1 - beta[..., None]) * log_softmax(student) + beta[..., None] * log_softmax(teacher))


class Blend(unittest.TestCase):
    def test_budget_is_met(self):
        student, teacher = rows(2, 3)
        for budget in (0.05, np.linspace(0.01, 0.06, 6).reshape(2, 3)):
            blend = trb.solve(student, teacher, budget)
            self.assertEqual(blend.beta.shape, (2, 3))
            mu = blended(student, teacher, blend.beta)
            np.testing.assert_allclose(kl(mu, log_softmax(student)).astype(float), blend.kl_student, rtol=1e-5)
            np.testing.assert_allclose(blend.kl_student, np.broadcast_to(budget, (2, 3)), rtol=1e-4)
            np.testing.assert_allclose(trb.write_blend(student, teacher, blend), mu.astype(float), atol=1e-5)
            self.assertTrue((blend.status == trb.Row.BLENDED).all())

    def test_methods_and_given_weights_agree(self):
        student, teacher = rows(5)
        blend = trb.solve(student, teacher, 0.05, method="bisection", tolerance=1e-5)
        np.testing.assert_allclose(blend.beta, trb.solve(student, teacher, 0.05, tolerance=1e-5).beta, rtol=1e-4)
        np.testing.assert_allclose(trb.blend_at(student, teacher, blend.beta).kl_student, blend.kl_student, rtol=2e-6)

    def test_temperature(self):
        student, teacher = rows(4)
        warm = trb.solve(trb.Logits(student, temperature=2), teacher, 0.05)
        np.testing.assert_allclose(warm.beta, trb.solve(student / 2, teacher, 0.05).beta, rtol=1e-6)

    def test_sample_is_a_function_of_its_key(self):
        student, teacher = rows(400)
        blend = trb.solve(student, teacher, 0.05)
        how = trb.Sampler(seed=5, stream=np.arange(400), index=np.full(400, 7), top_k=9)
        draw = trb.sample(student, teacher, blend, how)
        back = slice(None, None, -1)
        again = trb.sample(student[back].copy(), teacher[back].copy(), blend[back],
                           trb.Sampler(seed=5, stream=np.arange(400)[back], index=how.index, top_k=9))
        np.testing.assert_array_equal(draw.token, again.token[back])
        mu = blended(student, teacher, blend.beta)
        np.testing.assert_allclose(draw.log_behavior, mu[np.arange(400), draw.token].astype(float), rtol=1e-4, atol=1e-5)
        self.assertTrue((draw.kept == 9).all())
        self.assertGreater(len(np.unique(draw.token)), 10)

    def test_verify(self):
        student, teacher = rows(6)
        p = trb.blend_at(student, None, 0.0)
        proposals = trb.sample(student, None, p, trb.Sampler(seed=2)).token
        result = trb.verify(student, teacher, [proposals[:3], [*proposals[3:5], -1]], budget=0.01,
                            sampler=trb.Sampler(seed=2))
        mu, p = blended(student, teacher, result.blends.beta), log_softmax(student)
        stands = result.verdicts.verdict != trb.Verdict.DROPPED
        np.testing.assert_allclose(result.verdicts.tv[:1], np.maximum(np.exp(mu) - np.exp(p), 0).sum(-1)[:1].astype(float),
                                   rtol=1e-5)
        self.assertTrue(stands[[0, 3]].all())
        self.assertTrue((result.verdicts.draw.token[~stands] == -1).all())
        everything = trb.verify(student, teacher, [proposals], beta=0.0)
        np.testing.assert_array_equal(everything.verdicts.draw.token, proposals)

    def test_sparse(self):
        student, teacher = rows(2, 2)
        log_q = log_softmax(teacher).astype(np.float32)
        ids = np.argsort(-log_q, -1)
        full = trb.Sparse(ids, np.take_along_axis(log_q, ids, -1))
        blend = trb.solve_sparse(student, full, 0.05)
        np.testing.assert_allclose(blend.blend.beta, trb.solve(student, teacher, 0.05).beta, rtol=1e-4)
        np.testing.assert_allclose(trb.reverse_kl_sparse(student, full).loss, trb.reverse_kl(student, teacher).loss,
                                   rtol=1e-4)
        short = trb.Sparse(ids[..., :4], np.take_along_axis(log_q, ids, -1)[..., :4])
        self.assertTrue((trb.sample_sparse(student, short, trb.solve_sparse(student, short, 0.05)).token >= 0).all())
        offset = np.array([0, 2, 4])
        lists = trb.Sparse([1, 2, 3, 4], [-2.0] * 4, offset)
        before = trb.solve_sparse(student[0], lists, 0.05)
        offset[2] = 1 << 40
        np.testing.assert_array_equal(trb.solve_sparse(student[0], lists, 0.05), before)


class Loss(unittest.TestCase):
    def test_gradient_against_differences(self):
        student, teacher = rows(3)
        weight = np.array([1.0, 0.25, 0.0])
        for options in ({}, {"form": "tail_bucket", "support": "student_top_k", "k": 5},
                        {"form": "generalized", "ids": np.tile([1, 2, -1], (3, 1))}):
            loss, grad, info = trb.reverse_kl(student, teacher, weight=weight, grad=True, rows=True, **options)
            for v in (1, int(info.argmax_student[0]), 30):
                there, back = student.copy(), student.copy()
                there[:, v] += 1e-2
                back[:, v] -= 1e-2
                slope = (trb.reverse_kl(there, teacher, weight=weight, **options).loss -
                         trb.reverse_kl(back, teacher, weight=weight, **options).loss) / 2e-2
                np.testing.assert_allclose(grad[:, v], weight * slope, atol=1e-4)
        p, q = log_softmax(student), log_softmax(teacher)
        np.testing.assert_allclose(trb.reverse_kl(student, teacher).loss, kl(p, q).astype(float), rtol=1e-5)

    def test_divergence_terms_entropy(self):
        student, teacher = rows(4)
        p, q = log_softmax(student), log_softmax(teacher)
        np.testing.assert_allclose(trb.divergence(student, teacher, "forward_kl").loss, kl(q, p).astype(float), rtol=1e-5)
        np.testing.assert_allclose(trb.entropy(student), -(np.exp(p) * p).sum(-1).astype(float), rtol=1e-5)
        token = np.array([1, 2, 3, 4])
        terms, grad = trb.token_terms(student, teacher, token, estimator="k2", grad=True)
        u = (q - p)[np.arange(4), token].astype(float)
        np.testing.assert_allclose(terms.value, u * u / 2, rtol=1e-4)
        np.testing.assert_allclose(grad.sum(-1), 0, atol=1e-6)

    def test_gradient_in_place(self):
        student, teacher = rows(2, 2)
        grad = trb.reverse_kl(student, teacher, grad=True).grad
        trb.reverse_kl(student, teacher, grad=student)
        np.testing.assert_array_equal(student, grad)


class Arrays(unittest.TestCase):
    def test_strided_rows_are_not_copied(self):
        student, teacher = rows(4, 3)
        np.testing.assert_array_equal(trb.solve(student[:, 1], teacher[:, 1], 0.05).beta,
                                      trb.solve(student, teacher, 0.05).beta[:, 1])
        trb.mask_tokens(student[:, 1], [3, 4])
        self.assertTrue(np.isneginf(student[:, 1, 3:5]).all())
        self.assertTrue(np.isfinite(student[:, 0]).all())
        trb.merge_tokens(student[:, 0], [5], [6])
        self.assertTrue(np.isneginf(student[:, 0, 5]).all())

    def test_half_precision(self):
        student, teacher = rows(4)
        half = trb.solve(student.astype(np.float16), teacher.astype(np.float16), 0.05)
        np.testing.assert_allclose(half.beta, trb.solve(student, teacher, 0.05).beta, rtol=1e-2)
        bits = (student.view(np.uint32) >> 16).astype(np.uint16)
        exact = (bits.astype(np.uint32) << 16).view(np.float32)
        np.testing.assert_array_equal(trb.solve(trb.Logits(bits, dtype="bfloat16"), teacher, 0.05).beta,
                                      trb.solve(exact, teacher, 0.05).beta)
        self.assertEqual(trb.reverse_kl(trb.Logits(bits, dtype="bfloat16"), teacher, grad=True).grad.dtype, np.uint16)

    def test_no_rows(self):
        for shape in ((0,), (0, 2), (2, 0)):
            none = np.zeros((*shape, V), np.float32)
            self.assertEqual(trb.solve(none, none, 0.05).shape, shape)
            self.assertEqual(trb.reverse_kl(none, none, grad=True).grad.shape, (*shape, V))

    def test_new_arrays_of_what_has_dlpack(self):
        class Lent:
            def __init__(self, array):
                self.array = array

            def __dlpack__(self, **options):
                return self.array.__dlpack__(**options)

            def __dlpack_device__(self):
                return self.array.__dlpack_device__()
        student, teacher = rows(3)
        np.testing.assert_array_equal(trb.reverse_kl(Lent(student), Lent(teacher), grad=True).grad,
                                      trb.reverse_kl(student, teacher, grad=True).grad)

    def refuses(self, kind, words, function, *arguments, **options):
        with self.assertRaises(kind) as caught:
            function(*arguments, **options)
        self.assertIn(words, str(caught.exception))

    def test_refusals(self):
        student, teacher = rows(2, 3)
        self.refuses(ValueError, "student: expected the last axis to be contiguous", trb.solve, student[..., ::2],
                     teacher[..., ::2], 1.0)
        self.refuses(ValueError, "student: expected rows at one distance", trb.solve, student[:, :2], teacher[:, :2], 1.0)
        self.refuses(ValueError, "teacher: expected rows of shape (2, 3), got (2,)", trb.solve, student, teacher[:, 0], 1.0)
        self.refuses(TypeError, "student: expected float32, float16 or bfloat16, got float64", trb.solve,
                     student.astype(float), teacher, 1.0)
        self.refuses(TypeError, "student: expected an array or a tensor", trb.solve, [[1.0, 2.0]], teacher, 1.0)
        self.refuses(ValueError, "budget: expected shape (2, 3), got (2,)", trb.solve, student, teacher, [1.0, 2.0])
        self.refuses(trb.InvalidArgument, "budget[0]: expected a number in [0, inf], got -1", trb.solve, student, teacher,
                     -1.0)
        self.refuses(ValueError, "form: expected one of 'full'", trb.reverse_kl, student, teacher, form="half")
        self.refuses(OverflowError, "seed: expected a number of 64 bits, got -1", trb.sample, student, teacher,
                     trb.solve(student, teacher, 1.0), trb.Sampler(seed=-1))
        locked = student.copy()
        locked.flags.writeable = False
        self.refuses(ValueError, "grad: expected memory to write to", trb.reverse_kl, locked, teacher, grad=locked)
        self.refuses(ValueError, "stream: expected numbers from 0 to 18446744073709551615, got -1", trb.sample,
                     student[0], teacher[0], trb.solve(student[0], teacher[0], 1.0), trb.Sampler(stream=[0, 1, -1]))

    def test_numbers_that_do_not_fit(self):
        student, teacher = rows(2)
        self.refuses(ValueError, "ids: expected numbers from", trb.reverse_kl, student, teacher, form="truncated",
                     ids=np.array([[2 ** 64 - 1, 1]] * 2, np.uint64))
        self.refuses(ValueError, "positive: expected numbers from", trb.auroc, [1.0, 2.0], [2 ** 32, 2 ** 32 + 1])
        self.refuses(OverflowError, "expected a number of 64 bits", trb.Schedule("constant", initial=0.1), 2 ** 64)
        self.refuses(OverflowError, "threads: expected a number of 64 bits", trb.Context, 2 ** 64 + 1)

    def test_errors_are_pickled(self):
        student, teacher = rows(2)
        student[1, 0] = np.nan
        with self.assertRaises(trb.BadRows) as caught:
            trb.solve(student, teacher, 0.05)
        again = pickle.loads(pickle.dumps(caught.exception))
        self.assertEqual((type(again), str(again), again.status), (trb.BadRows, str(caught.exception), c.TRB_EROWS))
        np.testing.assert_array_equal(again.result.beta, caught.exception.result.beta)

    def test_bad_rows_lose_nothing(self):
        student, teacher = rows(2, 2)
        good = trb.reverse_kl(student, teacher).loss
        student[1, 0, 5] = np.nan
        with self.assertRaises(trb.BadRows) as caught:
            trb.reverse_kl(student, teacher, rows=True)
        self.assertIn("TRB_ROW_NOT_A_NUMBER", str(caught.exception))
        loss, _, info = caught.exception.result
        self.assertEqual(info.status[1, 0], trb.Row.NOT_A_NUMBER)
        np.testing.assert_array_equal(loss[[0, 0, 1], [0, 1, 1]], good[[0, 0, 1], [0, 1, 1]])


class Contexts(unittest.TestCase):
    def test_same_bits(self):
        student, teacher = rows(64)
        expected = trb.solve(student, teacher, 0.05).beta
        with trb.Context(threads=2, isa="scalar") as ctx:
            self.assertEqual(ctx.isa, trb.Isa.SCALAR)
            np.testing.assert_array_equal(trb.solve(student, teacher, 0.05, ctx=ctx).beta, expected)
        with self.assertRaisesRegex(ValueError, "closed"):
            trb.solve(student, teacher, 0.05, ctx=ctx)
        with self.assertRaisesRegex(trb.InvalidArgument, "threads"):
            trb.Context(threads=-1)

    def test_a_context_is_not_copied(self):
        with trb.Context() as ctx:
            self.assertRaisesRegex(TypeError, "cannot be copied", copy.copy, ctx)

    def test_an_interrupted_close_closes(self):
        ctx = trb.Context()

        def interrupted(end=ctx._end):
            end()
            raise KeyboardInterrupt
        ctx._end = interrupted
        self.assertRaises(KeyboardInterrupt, ctx.close)
        self.assertRaisesRegex(ValueError, "closed", trb.entropy, rows(1)[0], ctx=ctx)

    def test_contexts_stay_until_the_process_ends(self):
        """A handler that runs late uses one, as may a thread that nobody waits for."""
        code = ("import atexit, numpy as np\n"
                "x = np.zeros((64, 5000), np.float32)\n"
                "atexit.register(lambda: print(trb.entropy(x, ctx=ctx).shape))\n"
                "import trb\n"
                "ctx = trb.Context(threads=2)\n"
                "trb.entropy(x, ctx=ctx)\n")
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, timeout=60)
        self.assertEqual(done.stdout, b"(64,)\n")

    def test_one_context_for_many_threads(self):
        student, teacher = rows(64)
        expected, wrong = trb.solve(student, teacher, 0.05).beta, []
        with trb.Context() as ctx:
            def work():
                for _ in range(20):
                    if not np.array_equal(trb.solve(student, teacher, 0.05, ctx=ctx).beta, expected):
                        wrong.append(1)
            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(wrong, [])

    def test_interpreter_runs_meanwhile(self):
        """The other thread counts while one call lasts. Were the interpreter lock held, it could not begin."""
        rng = np.random.default_rng(1)
        student = rng.normal(size=(256, 50000)).astype(np.float32)
        teacher = student[::-1].copy()
        started, counted, over = threading.Event(), [0], threading.Event()

        def count():
            started.set()
            while not over.is_set():
                counted[0] += 1
        thread = threading.Thread(target=count)
        thread.start()
        started.wait()
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-4)
        before = counted[0]
        trb.solve(student, teacher, 0.05)
        after = counted[0]
        over.set()
        thread.join()
        sys.setswitchinterval(interval)
        self.assertGreater(after - before, 10000)


class Names(unittest.TestCase):
    """Every name of the header has its place in the package."""

    def test_enums(self):
        kinds = {"TRB_ROW_": trb.Row, "TRB_ISA_": trb.Isa, "TRB_SCHEDULE_": trb.ScheduleKind, "TRB_METHOD_": trb.Method,
                 "TRB_VERDICT_": trb.Verdict, "TRB_FORM_": trb.Form, "TRB_SUPPORT_": trb.Support,
                 "TRB_DIVERGENCE_": trb.DivergenceKind, "TRB_ESTIMATOR_": trb.Estimator, "TRB_CLIPPED_": trb.Clipped,
                 "TRB_BEHAVIOR_": trb.Behavior, "TRB_STOP_": trb.Stop, "TRB_OBJECTIVE_": trb.Objective,
                 "TRB_NORM_": trb.Norm}
        for prefix, kind in kinds.items():
            listed = {key[len(prefix):]: value for key, value in vars(c).items() if key.startswith(prefix)}
            self.assertEqual({name: int(member) for name, member in kind.__members__.items()}, listed)

    def test_fields(self):
        def fields(struct):
            return [name for name, _ in struct._fields_ if name not in ("size", "reserved")]
        self.assertEqual(list(trb.Totals._fields), fields(c.trb_totals))
        self.assertEqual(list(trb.Report._fields), fields(c.trb_train_report))
        self.assertEqual(list(trb.Gain._fields), fields(c.trb_gain))
        self.assertEqual([name for name in fields(c.trb_rollouts) if not hasattr(trb.Rollouts, name)], [])


class Models(unittest.TestCase):
    def setUp(self):
        rng = np.random.default_rng(3)
        self.tables = rng.normal(size=(2, 11, 11)).astype(np.float32)
        self.grad = np.zeros((11, 11))
        self.asked = []

    def model(self, which, **options):
        def last(queries):
            return np.concatenate([query.tokens[len(query.tokens) - query.rows:] for query in queries])

        def forward(queries, out):
            out[:] = self.tables[which][last(queries)]

        def backward(queries, grad):
            np.add.at(self.grad, last(queries), grad)
        return trb.Model(forward, 11, backward=backward, **options)

    def rollout(self, **options):
        options = {"budget": 0.05, "max_tokens": 6, "repeats": 3, **options}
        return trb.rollout(self.model(0), self.model(1), [[1, 2], [3]], **options)

    def test_rollout(self):
        rollouts = self.rollout(sampler=trb.Sampler(seed=4), keep_bytes=1 << 20)
        self.assertEqual(len(rollouts), 6)
        self.assertEqual([list(rollouts.prompt(i)) for i in (0, -1)], [[1, 2], [3]])
        self.assertEqual([len(rollouts.response(i)) for i in range(6)], [6] * 6)
        self.assertTrue((rollouts.stop == trb.Stop.LENGTH).all())
        self.assertTrue((rollouts.kl_student <= 0.05 * (1 + 1e-6)).all())
        before = [rollouts.text[rollouts.text_offset[i] + len(rollouts.prompt(i)) - 1:rollouts.text_offset[i + 1] - 1]
                  for i in range(6)]
        last = np.concatenate(before)
        log_p = log_softmax(self.tables[0][last])[np.arange(36), rollouts.token].astype(float)
        np.testing.assert_allclose(rollouts.log_student, log_p, atol=1e-5)
        with trb.Context(threads=2) as ctx:
            again = self.rollout(sampler=trb.Sampler(seed=4), batch=2, ctx=ctx)
        np.testing.assert_array_equal(again.text, rollouts.text)
        self.assertEqual(trb.totals(rollouts).tokens, 36)
        np.testing.assert_allclose(trb.sequence_scores(rollouts).mean(),
                                   (rollouts.log_teacher - rollouts.log_student).mean(), rtol=1e-9)

    def test_blocks(self):
        alone = self.rollout(budget=0.0)
        np.testing.assert_array_equal(self.rollout(budget=0.0, block=4).text, alone.text)
        self.assertEqual(alone.teacher_calls, 0)
        np.testing.assert_array_equal(self.rollout(block=2).text, self.rollout(block=5).text)

    def test_arrays_outlive_their_rollouts(self):
        tokens = self.rollout().token
        copy = tokens.copy()
        others = [self.rollout(sampler=trb.Sampler(seed=seed)) for seed in range(5)]
        np.testing.assert_array_equal(tokens, copy)
        with self.assertRaises(ValueError):
            others[0].token[0] = 1

    def test_no_repeats_mean_one(self):
        with self.assertRaisesRegex(ValueError, r"stream: expected shape \(2,\), got \(0,\)"):
            self.rollout(repeats=0, sampler=trb.Sampler(stream=[]))

    def test_rollouts_that_are_scored_serve_no_other_call(self):
        rollouts = self.rollout()

        def forward(queries, out):
            out[:] = 0
            call()
        teacher = trb.Model(forward, 11)
        call = lambda: trb.score(rollouts, teacher=self.model(1), keep_bytes=1 << 20)
        with self.assertRaisesRegex(RuntimeError, "serve another call"):
            trb.train_step(self.model(0), teacher, rollouts)
        given = trb.Rollouts([[1, 2]], [1])
        call = lambda: trb.totals(given)
        with self.assertRaisesRegex(RuntimeError, "serve another call"):
            trb.score(given, teacher=teacher)
        call = lambda: trb.totals(rollouts)
        trb.train_step(self.model(0), teacher, rollouts)
        trb.score(given, teacher=self.model(1))

    def test_given_sequences_and_scores(self):
        sampled = self.rollout()
        texts = [np.concatenate([sampled.prompt(i), sampled.response(i)]) for i in range(6)]
        given = trb.Rollouts(texts, [len(sampled.prompt(i)) for i in range(6)])
        self.assertTrue(np.isnan(given.log_teacher).all())
        trb.score(given, self.model(0), self.model(1))
        np.testing.assert_array_equal(given.log_teacher, sampled.log_teacher)

    def test_train_step(self):
        rollouts = self.rollout(keep_bytes=1 << 20)
        told = []
        step = trb.train_step(self.model(0), self.model(1), rollouts, form="full", progress=lambda *x: told.append(x))
        self.assertEqual(step.report.teacher_rows, 0)
        self.assertAlmostEqual(step.report.loss, step.loss.mean(), places=12)
        self.assertEqual(told[-1], (6, 6))
        at = np.unravel_index(np.abs(self.grad).argmax(), self.grad.shape)
        losses = []
        for sign in (1, -1):
            self.tables[0][at] += sign * 1e-2 + (sign < 0) * -1e-2
            losses.append(trb.train_step(self.model(0), self.model(1), rollouts, evaluate=True).report.loss)
        self.assertAlmostEqual((losses[0] - losses[1]) / 2e-2, self.grad[at], delta=1e-3 * abs(self.grad[at]))
        terms = trb.train_step(self.model(0), self.model(1), rollouts, objective="token", estimator="k3")
        self.assertIsNone(terms.rows)
        with self.assertRaises(TypeError):
            trb.train_step(self.model(0), self.model(1), rollouts, objective="divergence", estimator="k3")

    def test_exception_of_a_callback_comes_out(self):
        class Mine(Exception):
            pass

        def forward(queries, out):
            if len(queries[0].tokens) > 3:
                raise Mine("within")
            out[:] = 0
        try:
            trb.rollout(trb.Model(forward, 11), self.model(1), [[1, 2]], budget=0.1, max_tokens=9)
        except Mine as error:
            self.assertEqual(str(error), "within")
            self.assertEqual(traceback.extract_tb(error.__traceback__)[-1].name, "forward")
            self.assertEqual(error.partial.n_tokens, 2)
        else:
            self.fail("no exception")

    def test_locals_of_a_callback_are_let_go(self):
        """They may be the library's memory. Frames that have nothing to do with the callback keep theirs."""
        def inner(out):
            row = out[0]
            raise KeyError(row.size)

        def forward(queries, out):
            try:
                inner(out)
            except KeyError as error:
                raise ValueError("within") from error

        def elsewhere():
            kept = 3
            raise IndexError(kept)

        def left(error):
            return {frame.f_code.co_name: set(frame.f_locals) for frame, _ in traceback.walk_tb(error.__traceback__)}
        try:
            try:
                elsewhere()
            except IndexError as outer:
                before = outer
                trb.rollout(trb.Model(forward, 11), None, [[1]], budget=0.0, max_tokens=1)
        except ValueError as error:
            self.assertEqual(left(error)["forward"], set())
            self.assertEqual(left(error.__cause__), {"forward": set(), "inner": set()})
            self.assertEqual(left(before)["elsewhere"], {"kept"})
        else:
            self.fail("no exception")

    def test_interrupt_stops_a_rollout(self):
        # A process in the background starts with the signal ignored, and Python then has no handler of its own.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)

        def forward(queries, out):
            out[:] = 0
            self.asked.append(1)
            if len(self.asked) == 3:
                signal.raise_signal(signal.SIGINT)
        with self.assertRaises(KeyboardInterrupt):
            trb.rollout(trb.Model(forward, 11), self.model(1), [[1]], budget=0.1, max_tokens=10 ** 5)
        self.assertLess(len(self.asked), 10 ** 4)

    def test_interrupt_that_waits_for_a_callback(self):
        """The signal comes while the library works: Python looks at it when the next callback begins."""
        def interrupt(*_):
            raise KeyboardInterrupt
        before = signal.signal(signal.SIGALRM, interrupt)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        logits = np.random.default_rng(0).normal(size=(64, 20000)).astype(np.float32)

        def forward(queries, out):
            out[:] = logits
            self.asked.append(1)
            if len(self.asked) == 4:
                signal.setitimer(signal.ITIMER_REAL, 1e-3)
        with self.assertRaises(KeyboardInterrupt) as caught:
            trb.rollout(trb.Model(forward, 20000), trb.Model(forward, 20000), [[1]] * 64, budget=0.1, max_tokens=50)
        self.assertEqual(caught.exception.partial.n_tokens % 64, 0)

    def test_exception_that_takes_no_attributes(self):
        @dataclasses.dataclass(frozen=True)
        class Mine(Exception):
            number: int

        def forward(queries, out):
            raise Mine(3)
        with self.assertRaises(Mine):
            trb.rollout(trb.Model(forward, 11), None, [[1]], budget=0.0, max_tokens=1)

    def test_a_model_is_let_go_after_the_call(self):
        def forward(queries, out):
            out[:] = 0
        there = weakref.ref(forward)
        gc.disable()
        self.addCleanup(gc.enable)
        trb.rollout(trb.Model(forward, 11), None, [[1]], budget=0.0, max_tokens=1)
        del forward
        self.assertIsNone(there())

    def test_callbacks_may_use_the_library_but_not_their_context(self):
        def forward(queries, out):
            out[:] = 0
            self.asked.append(trb.entropy(out)[0])
            trb.entropy(out, ctx=ctx)
        trb_default = {"budget": 0.1, "max_tokens": 2}
        with trb.Context() as ctx, trb.Context() as outer:
            trb.rollout(trb.Model(forward, 11), self.model(1), [[1]], ctx=outer, **trb_default)
            with self.assertRaisesRegex(RuntimeError, "may not use the context"):
                trb.rollout(trb.Model(forward, 11), self.model(1), [[1]], ctx=ctx, **trb_default)
            with self.assertRaisesRegex(RuntimeError, "may not use the context"):
                trb.rollout(trb.Model(lambda queries, out: outer.close(), 11), None, [[1]], budget=0.0, max_tokens=1,
                            ctx=outer)
        np.testing.assert_allclose(self.asked[0], np.log(11), rtol=1e-6)

    def test_schedule_and_diagnostics(self):
        self.assertEqual(trb.Schedule(initial=0.1, steps=10)(5), 0.05)
        self.assertEqual(trb.Schedule("piecewise", at=[0, 10], budgets=[0.2, 0.0])(5), 0.1)
        with self.assertRaisesRegex(trb.InvalidArgument, "steps"):
            trb.Schedule(initial=0.1)
        self.assertEqual(trb.auroc([1.0, 2.0, 3.0, 4.0], [False, True, False, True]), 0.75)
        rollouts = self.rollout()
        gain = trb.continuation_gain(self.model(0), self.model(1), rollouts, rollouts, 2,
                                     lambda tokens, prompt, sequence: float(tokens[prompt:].sum()), behavior="teacher",
                                     max_tokens=6)
        self.assertEqual((gain.pairs, gain.gain), (6, 0.0))


if __name__ == "__main__":
    unittest.main()

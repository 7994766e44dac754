"""The package on PyTorch tensors. Skipped without PyTorch."""

import unittest

import numpy as np
import trb

try:
    import torch
    import trb.torch
except ImportError as error:
    raise unittest.SkipTest(str(error))


def rows(*shape, dtype=torch.float32):
    made = torch.Generator().manual_seed(0)
    student = torch.randn(*shape, generator=made)
    return student.to(dtype), (student + torch.randn(*shape, generator=made)).to(dtype)


class Tensors(unittest.TestCase):
    def test_same_as_arrays(self):
        student, teacher = rows(2, 3, 29)
        blend = trb.solve(student, teacher, 0.05)
        np.testing.assert_array_equal(blend.beta, trb.solve(student.numpy(), teacher.numpy(), 0.05).beta)
        self.assertIsInstance(trb.write_blend(student, teacher, blend), torch.Tensor)

    def test_bfloat16(self):
        student, teacher = rows(4, 29, dtype=torch.bfloat16)
        np.testing.assert_array_equal(trb.solve(student, teacher, 0.05).beta,
                                      trb.solve(student.float(), teacher.float(), 0.05).beta)
        grad = trb.reverse_kl(student, teacher, grad=True).grad
        self.assertIs(grad.dtype, torch.bfloat16)
        torch.testing.assert_close(grad.float(), trb.reverse_kl(student.float(), teacher, grad=True).grad, rtol=1e-2,
                                   atol=1e-3)

    def test_refusals(self):
        student, teacher = rows(4, 29)
        with self.assertRaisesRegex(ValueError, "last axis"):
            trb.solve(student[:, ::2], teacher[:, ::2], 0.05)
        with self.assertRaisesRegex(ValueError, "requires a gradient"):
            trb.reverse_kl(student.detach(), teacher, grad=torch.nn.Parameter(student))
        with self.assertRaisesRegex(ValueError, "on the CPU"):
            trb.solve(torch.empty(4, 29, device="meta"), teacher, 0.05)


class Autograd(unittest.TestCase):
    def test_gradcheck(self):
        student, teacher = rows(3, 7)
        student.requires_grad_()
        for options in ({}, {"form": "tail_bucket", "support": "student_top_k", "k": 3}):
            self.assertTrue(torch.autograd.gradcheck(lambda s: trb.torch.reverse_kl(s, teacher, **options), student,
                                                     eps=1e-2, atol=1e-3, rtol=1e-2, check_batched_grad=False,
                                                     nondet_tol=0.0))

    def test_halves_are_scaled_in_floats(self):
        for dtype, scale in ((torch.bfloat16, 1 / 3000), (torch.float16, 1e5)):
            student, teacher = rows(4, 29, dtype=dtype)
            (trb.torch.reverse_kl(student.requires_grad_(), teacher) * scale).sum().backward()
            grad = trb.reverse_kl(student.detach(), teacher, grad=True).grad
            torch.testing.assert_close(student.grad, (grad.float() * scale).to(dtype), rtol=1e-6, atol=0)

    def test_a_teacher_gets_no_gradient(self):
        student, teacher = rows(4, 29)
        self.assertFalse(trb.torch.reverse_kl(student, teacher.requires_grad_()).requires_grad)

    def test_against_autograd_in_double(self):
        student, teacher = rows(2, 3, 29)
        mine, double = student.clone().requires_grad_(), student.double().requires_grad_()
        scale = torch.rand(2, 3, dtype=torch.float64)
        (trb.torch.reverse_kl(mine, teacher) * scale).sum().backward()
        p, q = double.log_softmax(-1), teacher.double().log_softmax(-1)
        ((p.exp() * (p - q)).sum(-1) * scale).sum().backward()
        torch.testing.assert_close(mine.grad.double(), double.grad, rtol=1e-4, atol=1e-6)

    def test_module_and_optimizer(self):
        torch.manual_seed(0)
        module, inputs, teacher = torch.nn.Linear(5, 29), torch.randn(16, 5), torch.randn(16, 29)
        optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
        losses = []
        for _ in range(20):
            loss = trb.torch.reverse_kl(module(inputs), teacher).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        self.assertLess(losses[-1], 0.8 * losses[0])

    def test_without_gradient(self):
        student, teacher = rows(3, 7)
        self.assertFalse(trb.torch.reverse_kl(student, teacher).requires_grad)


class Generation(unittest.TestCase):
    def test_processor(self):
        student, teacher = rows(2, 29)
        processor = trb.torch.BlendProcessor(lambda ids: teacher, 0.05)
        scores = processor(torch.zeros(2, 1, dtype=torch.int64), student)
        kl = (scores.exp() * (scores - student.log_softmax(-1))).sum(-1)
        torch.testing.assert_close(kl, torch.full((2,), 0.05), rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(processor.blend.kl_student, 0.05, rtol=1e-4)


class Causal(unittest.TestCase):
    def make(self, seed):
        torch.manual_seed(seed)

        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.into, self.rnn = torch.nn.Embedding(11, 8), torch.nn.GRU(8, 8, batch_first=True)
                self.out = torch.nn.Linear(8, 11)

            def forward(self, tokens):
                return self.out(self.rnn(self.into(tokens))[0])
        return Net()

    def test_train_step_is_autograd(self):
        student, teacher = self.make(0), self.make(1)
        for dtype in ("float32", "bfloat16"):
            rollouts = trb.rollout(trb.torch.CausalModel(student, 11, dtype=dtype), trb.torch.CausalModel(teacher, 11),
                                   [[1, 2], [3]], budget=0.05, max_tokens=5)
            self.assertTrue((rollouts.kl_student <= 0.05 * (1 + 1e-6)).all())
        rollouts = trb.rollout(trb.torch.CausalModel(student, 11), trb.torch.CausalModel(teacher, 11), [[1, 2], [3]],
                               budget=0.05, max_tokens=5)
        student.zero_grad()
        step = trb.train_step(trb.torch.CausalModel(student, 11, trained=True), trb.torch.CausalModel(teacher, 11), rollouts)
        got = [parameter.grad.clone() for parameter in student.parameters()]
        student.zero_grad()
        loss = 0
        for i in range(2):
            prompt, text = rollouts.prompt(i), np.concatenate([rollouts.prompt(i), rollouts.response(i)])
            tokens = torch.from_numpy(text[:-1])[None]
            p = student(tokens)[0, len(prompt) - 1:].log_softmax(-1)
            q = teacher(tokens)[0, len(prompt) - 1:].log_softmax(-1).detach()
            loss = loss + (p.exp() * (p - q)).sum(-1).sum() / 10
        loss.backward()
        self.assertAlmostEqual(loss.item(), step.report.loss, places=5)
        for mine, parameter in zip(got, student.parameters()):
            torch.testing.assert_close(mine, parameter.grad, rtol=1e-3, atol=1e-6)


if __name__ == "__main__":
    unittest.main()

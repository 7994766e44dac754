"""On-policy distillation with trust-region behavior blending, PyTorch models as teacher and student.

usage: python3 train_torch.py [steps]

A teacher learns to count on from its prompt in a small vocabulary; a smaller student, which has seen little of it, is
then distilled on its own rollouts, twice from the same start: drawn by the student alone, and from the blend within a KL
budget that anneals to 0. What is printed at the end is KL(student||teacher) on rollouts of the student."""

import copy
import sys

import torch

import trb
import trb.torch

VOCAB, LENGTH = 16, 12


class Net(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.into = torch.nn.Embedding(VOCAB, width)
        self.rnn = torch.nn.GRU(width, width, batch_first=True)
        self.out = torch.nn.Linear(width, VOCAB)

    def forward(self, tokens):
        return self.out(self.rnn(self.into(tokens))[0])


def texts(n):
    """Texts that count on, by a step that their first two tokens tell."""
    start, step = torch.randint(VOCAB, (n, 1)), torch.randint(1, 5, (n, 1))
    return (start + step * torch.arange(LENGTH)) % VOCAB


def pretrain(net, steps, rate=1e-2):
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    for _ in range(steps):
        batch = texts(64)
        loss = torch.nn.functional.cross_entropy(net(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def distill(student, teacher, steps, budget):
    """Descends reverse KL on rollouts within `budget` nats per token, which goes down to 0 over the steps."""
    optimizer = torch.optim.Adam(student.parameters(), lr=3e-3)
    schedule = trb.Schedule("linear", initial=budget, steps=steps)
    sampled, trained = trb.torch.CausalModel(student, VOCAB), trb.torch.CausalModel(student, VOCAB, trained=True)
    for k in range(steps):
        rollouts = trb.rollout(sampled, teacher, texts(16)[:, :2], budget=schedule(k), max_tokens=LENGTH - 2,
                               sampler=trb.Sampler(seed=k), block=4, keep_bytes=1 << 24)
        optimizer.zero_grad()
        trb.train_step(trained, teacher, rollouts)
        optimizer.step()


def reverse_kl(student, teacher):
    """On 256 rollouts of the student."""
    asked = trb.torch.CausalModel(student, VOCAB)
    torch.manual_seed(1)
    rollouts = trb.rollout(asked, teacher, texts(256)[:, :2], budget=0.0, max_tokens=LENGTH - 2)
    return trb.train_step(asked, teacher, rollouts, evaluate=True).report.loss


def main(steps=60):
    torch.manual_seed(0)
    net, start = Net(48), Net(16)
    pretrain(net, 300)
    pretrain(start, 30)
    teacher = trb.torch.CausalModel(net, VOCAB)
    print(f"before            {reverse_kl(start, teacher):.4f} nats per token")
    for name, budget in (("student alone", 0.0), ("blend", 0.05)):
        student = copy.deepcopy(start)
        torch.manual_seed(2)
        distill(student, teacher, steps, budget)
        print(f"{name:17} {reverse_kl(student, teacher):.4f} nats per token")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

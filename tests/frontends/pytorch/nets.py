"""Networks of the tests; also the code that --factory names."""

import torch
from torch import nn


class Conv(nn.Module):
    """One input, one output, a batch that is free."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.norm(self.first(x))).mean((2, 3)))


class Several(nn.Module):
    """Nested inputs, one of indices, and nested outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(7, 4)
        self.mix = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor, more: dict) -> dict:
        mixed = self.mix(x) * more["scale"]
        return {"mixed": mixed, "parts": (mixed + self.table(more["ids"]).sum(1), None)}


class Halves(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple:
        first, second = x.chunk(2, 1)
        return first - second, first * second


class Scripted(nn.Module):
    """Branches on a shape and a loop: what scripting is for."""

    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Linear(6, 6)

    def forward(self, x: torch.Tensor, times: int = 3) -> torch.Tensor:
        if x.shape[-1] > 6:
            x = x[..., :6]
        for _ in range(times):
            x = torch.tanh(self.step(x))
        return x


class Stateful(nn.Module):
    """Keeps a running sum from call to call."""

    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Linear(4, 4)
        self._sum = torch.zeros(0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(self._sum) == 0:
            self._sum = torch.zeros([x.shape[0], 4])
        self._sum = self._sum * 0.5 + self.step(x)
        return torch.relu(self._sum)


class Numbered(nn.Module):
    """Takes a number beside the tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor, rate: int) -> torch.Tensor:
        if rate == 8:
            return self.step(x)
        return self.step(x) * rate


class Sequence(nn.Module):
    """Time first: the first dim is no batch."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.rnn(x)[0]


def several() -> tuple:
    """A factory that knows its inputs."""
    return Several(), (torch.randn(1, 4), {"ids": torch.tensor([[1, 2, 3]]), "scale": torch.ones(1)})


def broken() -> nn.Module:
    raise ValueError("no such width")


def nothing() -> int:
    return 3


class Branching(nn.Module):
    """A branch that hangs on a value."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mixed = self.first(x)
        if x.sum() > 50:
            mixed = mixed * 3
        return self.second(mixed)

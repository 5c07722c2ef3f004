"""A ResNet of one block per stage, trained with plain torch: the user's model, before dlpipe sees it."""

import math
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from .data import INPUT

WIDTHS = (32, 64, 128)


class Block(nn.Module):
    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(width, out, 3, stride, 1, bias=False)
        self.norm_one = nn.BatchNorm2d(out)
        self.two = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norm_two = nn.BatchNorm2d(out)
        self.short = nn.Sequential()
        if stride != 1 or width != out:
            self.short = nn.Sequential(nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Any) -> Any:
        y = functional.relu(self.norm_one(self.one(x)))
        return functional.relu(self.norm_two(self.two(y)) + self.short(x))


class ResNet(nn.Module):
    """1 x 28 x 28 -> 10 logits: a stem of stride 2, three stages, the mean, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third = WIDTHS
        self.stem = nn.Conv2d(1, first, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(first)
        self.stages = nn.Sequential(Block(first, first, 1), Block(first, second, 2), Block(second, third, 2))
        self.head = nn.Linear(third, 10)

    def forward(self, x: Any) -> Any:
        x = self.stages(functional.relu(self.norm(self.stem(x))))
        return self.head(x.mean((2, 3)))


def train(images: Any, labels: Any, *, epochs: int, seed: int, batch: int = 256, rate: float = 0.1) -> ResNet:
    """SGD with momentum and a cosine; pictures are flipped and shifted by up to two pixels."""
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = ResNet().to(device).train()
    x, y = torch.from_numpy(images).to(device), torch.from_numpy(labels).to(device)
    made = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9, nesterov=True, weight_decay=5e-4)
    total, step, started = epochs * (len(x) // batch), 0, time.monotonic()
    for epoch in range(epochs):
        order = torch.randperm(len(x), device=device)
        for place in range(0, len(x) - batch + 1, batch):
            for group in made.param_groups:
                group["lr"] = rate * min(1.0, (step + 1) / 200) * 0.5 * (1 + math.cos(math.pi * step / total))
            chosen = order[place : place + batch]
            loss = functional.cross_entropy(net(_moved(x[chosen])), y[chosen])
            made.zero_grad(set_to_none=True)
            loss.backward()
            made.step()
            step += 1
        print(
            f"baseline epoch {epoch + 1}/{epochs}: loss {loss.item():.3f}, {time.monotonic() - started:.0f} s",
            flush=True,
        )
    return net.cpu().eval()


def _moved(x: Any) -> Any:
    flipped = torch.where(torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5, x.flip(-1), x)
    padded = functional.pad(flipped, (2, 2, 2, 2), mode="replicate")
    down, right = (int(each) for each in torch.randint(0, 5, (2,)))  # one shift for the batch
    return padded[:, :, down : down + 28, right : right + 28]


def export(net: ResNet, path: Path) -> None:
    """As a user would, with a free batch; batch norms are left as they are: dlpipe folds them when training is over."""
    batch = torch.export.Dim("N", min=1, max=4096)
    torch.onnx.export(
        net,
        (torch.zeros(2, 1, 28, 28),),
        str(path),
        input_names=[INPUT],
        output_names=["logits"],
        dynamic_shapes={"x": {0: batch}},
        dynamo=True,
        optimize=False,
        external_data=False,
        verbose=False,
    )

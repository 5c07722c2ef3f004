"""A small transformer, trained on Fashion-MNIST with a fixed seed, as ONNX. Runs in the pytorch toolchain."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import torch
from dlpipe_worker import Request, operation
from torch import nn
from torch.nn import functional

_SIDE, _PATCH = 28, 7
_TOKENS = (_SIDE // _PATCH) ** 2
_BATCH = 128


class _Block(nn.Module):
    """Attention and a two-layer net, each behind a layer norm, with residuals around them."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        count, tokens, width = x.shape
        mixed = self.mix(self.before(x)).reshape(count, tokens, 3, self.heads, width // self.heads)
        query, key, value = mixed.permute(2, 0, 3, 1, 4)
        weights = (query @ key.transpose(-2, -1) * (width // self.heads) ** -0.5).softmax(dim=-1)
        x = x + self.out((weights @ value).transpose(1, 2).reshape(count, tokens, width))
        return x + self.down(functional.gelu(self.up(self.between(x))))


class _Transformer(nn.Module):
    """Pictures as 16 patches: embedding, blocks, mean, ten scores."""

    def __init__(self, width: int = 64, heads: int = 4, depth: int = 3) -> None:
        super().__init__()
        self.embed = nn.Linear(_PATCH * _PATCH, width)
        self.place = nn.Parameter(torch.zeros(_TOKENS, width))
        self.blocks = nn.Sequential(*(_Block(width, heads) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        grid = _SIDE // _PATCH
        patches = x.reshape(-1, grid, _PATCH, grid, _PATCH).permute(0, 1, 3, 2, 4).reshape(-1, _TOKENS, _PATCH**2)
        return self.head(self.norm(self.blocks(self.embed(patches) + self.place)).mean(dim=1))


@operation
def train(request: Request) -> object:
    """The data set is a resource -> `model.onnx`. params: epochs, seed. Value: {"accuracy"} on its test images."""
    torch.manual_seed(request.params["seed"])
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    folder = Path(request.resources["dataset-fashion-mnist"])
    pictures, labels = _read(folder, "train")
    net, epochs = _Transformer(), request.params["epochs"]
    steps = epochs * (len(pictures) // _BATCH)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for epoch in range(epochs):
        order = torch.randperm(len(pictures))
        for start in range(0, len(order) - _BATCH + 1, _BATCH):
            chosen = order[start : start + _BATCH]
            loss = functional.cross_entropy(net(_moved(pictures[chosen])), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        request.progress(f"epoch {epoch + 1} of {epochs}", (epoch + 1) / epochs)
    net.eval()
    pictures, labels = _read(folder, "t10k")
    with torch.no_grad():
        right = sum(
            int((net(pictures[start : start + 500]).argmax(dim=1) == labels[start : start + 500]).sum())
            for start in range(0, len(pictures), 500)
        )
    sample = torch.zeros(1, 1, _SIDE, _SIDE)
    program: Any = torch.onnx.export(net, (sample,), dynamo=True, input_names=["x"], output_names=["scores"])
    program.save(str(Path(request.out, "model.onnx")))
    return {"accuracy": right / len(pictures)}


def _moved(pictures: torch.Tensor) -> torch.Tensor:
    """The batch mirrored in half of all cases, and moved by up to two pixels."""
    if torch.rand(()) < 0.5:
        pictures = pictures.flip(-1)
    down, right = torch.randint(-2, 3, (2,)).tolist()
    return pictures.roll((down, right), dims=(-2, -1))


def _read(folder: Path, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures from 0 to 1 [N, 1, 28, 28], and labels."""
    images, labels = (
        gzip.decompress(next(folder.rglob(f"{part}-{kind}-*.gz")).read_bytes()) for kind in ("images", "labels")
    )
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, _SIDE, _SIDE).astype(np.float32) / 255
    return torch.from_numpy(pixels), torch.from_numpy(np.frombuffer(labels, np.uint8, offset=8).astype(np.int64))

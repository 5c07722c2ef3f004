"""What a stage asks of a node, in Ray's resources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dlpipe.contracts.call import Call

RESERVED = 4 << 30  # bytes: a limit is what a stage may use at most, and most use far less than it
BOARD = "board:"


@dataclass(frozen=True, slots=True)
class Needs:
    """`memory` in bytes; `board` the label of a board, which one stage at a time may have."""

    cpus: int
    memory: int
    gpus: int = 0
    board: str | None = None

    def options(self) -> dict[str, Any]:
        """For the task, in Ray's words."""
        labels = {"resources": {self.board: 1}} if self.board else {}
        return {"num_cpus": self.cpus, "num_gpus": self.gpus, "memory": self.memory, **labels}

    def missing(self, nodes: Iterable[Mapping[str, float]]) -> str | None:
        """What stands in the way of every node, given what each has in all; None where one has everything.

        Of the node that comes nearest, so that a GPU in a small machine is answered with the memory that it lacks.
        """
        lacking = [self._lacking(node) for node in nodes]
        nearest = min(lacking, key=len, default=[each for each, _, _ in self._wanted()])
        return " and ".join(nearest) or None

    def _lacking(self, node: Mapping[str, float]) -> list[str]:
        return [said for said, name, amount in self._wanted() if node.get(name, 0) < amount]

    def _wanted(self) -> list[tuple[str, str, float]]:
        """(how it is said, Ray's name, amount)."""
        wanted: list[tuple[str, str, float]] = [
            (f"{self.cpus} CPU", "CPU", self.cpus),
            (f"{self.memory / 1e9:.1f} GB of memory", "memory", self.memory),
        ]
        if self.gpus:
            wanted.append((f"{self.gpus} GPU", "GPU", self.gpus))
        if self.board:
            wanted.append((self.board, self.board, 1))
        return wanted


def needs_of(call: Call, devices: Iterable[str]) -> Needs:
    """devices: kinds of devices that the call's toolchains use (`Toolchains.devices`)."""
    if call.board is not None:  # an agent computes: the node only passes files on
        return Needs(cpus=0, memory=0, board=board_label(call.board))
    return Needs(cpus=1, memory=min(call.limits.memory, RESERVED), gpus=int("nvidia" in devices))


def board_label(address: str) -> str:
    """`http://rk3588.lab:7171` -> `board:rk3588.lab:7171`: the resource that the node beside that board has."""
    return BOARD + (urlsplit(address).netloc or address)

"""What a stage asks of a node, and what is said where no node has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlpipe.contracts.call import Call, Limits
from dlpipe.pipeline.cluster.needs import RESERVED, Needs, needs_of

SMALL = {"CPU": 1.0, "memory": 6e9, "node:10.0.0.2": 1.0}
LARGE = {"CPU": 16.0, "memory": 64e9, "GPU": 1.0, "board:rk3588.lab:7171": 1.0}


def call(**more: object) -> Call:
    return Call("core", Path("worker.py"), "do", **more)


def test_a_stage_asks_for_a_processor_and_for_the_memory_that_is_reserved_for_it() -> None:
    assert needs_of(call(), ()).options() == {"num_cpus": 1, "num_gpus": 0, "memory": RESERVED}
    assert needs_of(call(limits=Limits(memory=1 << 30)), ()).memory == 1 << 30
    assert needs_of(call(), ("nvidia",)).gpus == 1
    assert needs_of(call(), ("vulkan",)).gpus == 0


def test_a_board_is_a_label_and_its_node_computes_nothing() -> None:
    needs = needs_of(call(board="http://rk3588.lab:7171"), ())
    assert needs.options() == {"num_cpus": 0, "num_gpus": 0, "memory": 0, "resources": {"board:rk3588.lab:7171": 1}}
    assert needs.missing([SMALL, LARGE]) is None
    assert needs.missing([SMALL]) == "board:rk3588.lab:7171"


@pytest.mark.parametrize(
    ("needs", "nodes", "missing"),
    [
        (Needs(1, 4_000_000_000), [SMALL], None),
        (Needs(1, 4_000_000_000), [], "1 CPU and 4.0 GB of memory"),
        (Needs(1, 8_000_000_000), [SMALL, LARGE], None),
        (Needs(1, 8_000_000_000), [SMALL], "8.0 GB of memory"),
        (Needs(1, 4_000_000_000, gpus=1), [SMALL], "1 GPU"),
        (Needs(1, 8_000_000_000, gpus=1), [SMALL, {**LARGE, "GPU": 0.0}], "1 GPU"),  # of the node that comes nearest
    ],
)
def test_what_no_node_has_is_named(needs: Needs, nodes: list[dict[str, float]], missing: str | None) -> None:
    assert needs.missing(nodes) == missing

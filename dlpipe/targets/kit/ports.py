"""Tensors of fixed shapes, which compilers of NPUs want: the batch is one, and every other free dim is refused."""

from __future__ import annotations

from typing import Any

from dlpipe_worker import Refused


def fixed(port: dict[str, Any], tool: str) -> dict[str, Any]:
    """An input or output of a contract with its leading free dim as 1. Raises Refused for a further one."""
    shape = [1 if axis == 0 and isinstance(dim, str) else dim for axis, dim in enumerate(port["shape"])]
    if free := [dim for dim in shape if isinstance(dim, str)]:
        raise Refused(
            f"{tool} needs fixed shapes, and {port['name']} has the free dim {free[0]}",
            kind="unsupported",
            hint=f"--shape {free[0]}=<size>",
        )
    return {**port, "shape": shape}


def fixed_inputs(contract: dict[str, Any], tool: str) -> list[dict[str, Any]]:
    """Of the whole contract; its outputs may have free dims, which the tool works out."""
    return [fixed(port, tool) for port in contract["inputs"]]


def batch_names(contract: dict[str, Any]) -> list[str]:
    """The free dims that `fixed` takes for the batch."""
    return sorted(
        {port["shape"][0] for port in contract["inputs"] if port["shape"] and isinstance(port["shape"][0], str)}
    )

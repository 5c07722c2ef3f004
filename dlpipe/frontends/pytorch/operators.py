"""Which of PyTorch's core operators its ONNX exporter covers, told by its own registry."""

from __future__ import annotations

from typing import Any

import torch

_SOURCE = "torch {version}: the operators of ATen that carry the tag `core`, to which torch.export reduces a network"


def coverage() -> dict[str, Any]:
    """See `Frontend.operators_call`. An operator without a translation of its own may be taken apart into others."""
    from torch.onnx._internal.exporter import _registration

    registry = _registration.ONNXRegistry.from_torchlib()
    apart = torch.export.default_decompositions()
    found = {}
    for name in sorted(dir(torch.ops.aten)):
        packet = getattr(torch.ops.aten, name)
        for overload in packet.overloads() if hasattr(packet, "overloads") else ():
            operator = getattr(packet, overload)
            if torch.Tag.core not in operator.tags:
                continue
            support, note = "full", None
            if not registry.get_decomps(operator):
                support, note = ("full", "taken apart into other operators") if operator in apart else ("none", None)
            found[str(operator)] = {"support": support, "note": note}
    return {"operators": found, "source": _SOURCE.format(version=torch.__version__)}

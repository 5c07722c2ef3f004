"""Batch norms that take mean and variance from the batch, and remember them, while the network is trained."""

from collections.abc import Mapping
from typing import Any

import onnx_ir as ir
import torch
from torch import nn
from torch.nn import functional

from ..torch_module.ops.table import Compute
from .team import Team


def of_batches(model: ir.Model, network: nn.Module, team: Team) -> Mapping[ir.Node, Compute]:
    """How each batch norm of the graph is computed then: as a whole team's batch, whoever has which part of it."""
    return {node: _compute(node, network, team) for node in model.graph if node.op_type == "BatchNormalization"}


def _compute(node: ir.Node, network: nn.Module, team: Team) -> Compute:
    epsilon = node.attributes.get_float("epsilon", 1e-5)
    keep = node.attributes.get_float("momentum", 0.9)

    def compute(x: Any, scale: Any, bias: Any, mean: Any, var: Any) -> Any:
        """`mean` and `var` are the network's own buffers: they are updated in place."""
        if not network.training or team.size == 1:
            return functional.batch_norm(x, mean, var, scale, bias, network.training, 1.0 - keep, epsilon)
        dims = (0, *range(2, x.dim()))
        view = [1, -1, *[1] * (x.dim() - 2)]
        count = team.size * x.numel() // x.shape[1]
        centre = _over_team(x.sum(dims)) / count
        around = x - centre.reshape(view)
        spread = _over_team(around.square().sum(dims)) / count
        with torch.no_grad():
            mean.lerp_(centre, 1.0 - keep)
            var.lerp_(spread * (count / max(count - 1, 1)), 1.0 - keep)
        return around * torch.rsqrt(spread + epsilon).reshape(view) * scale.reshape(view) + bias.reshape(view)

    return compute


def _over_team(tensor: Any) -> Any:
    """The sum over the team, through which gradients go back to all of it."""
    from torch.distributed.nn import functional as together

    return together.all_reduce(tensor)

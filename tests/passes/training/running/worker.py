"""Runs a graph as the trainable module, in the toolchain `training`: what it puts out is held against ONNX Runtime."""

import os
from pathlib import Path

from dlpipe_worker import Request, operation

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import onnx_ir as ir
import torch

from ..torch_module import network, weights
from ..training import batching, fake, qat


@operation
def forward(request: Request) -> object:
    """ir, samples -> outputs.npz, sample by sample. Value: {"way", "learned": names, "frozen": names}."""
    model = ir.load(str(Path(request.inputs["ir"]) / "model.onnx"))
    net = network.Network(model)
    with np.load(Path(request.inputs["samples"]) / "samples.npz") as archive:
        feeds = {name: torch.from_numpy(archive[name]) for name in net.inputs}
    with torch.no_grad():
        outputs = batching.alone(net, feeds)
        way = batching.choose(net, feeds)
    np.savez(Path(request.out) / "outputs.npz", **{name: value.numpy() for name, value in outputs.items()})
    learned = [name for name, _ in net.learned()]
    stored = [value.name for value, tensor in weights.stored(model) if tensor.dtype.is_floating_point()]
    return {"way": way, "learned": learned, "frozen": sorted(set(stored) - set(learned))}


@operation
def fake_quantised(request: Request) -> object:
    """ir (QDQ), samples -> outputs.npz, as the graph is computed while it is trained."""
    model = ir.load(str(Path(request.inputs["ir"]) / "model.onnx"))
    found = fake.find(model)
    net = network.Network(model, replace=fake.computes(found), learn=qat.starts(found, None))
    with np.load(Path(request.inputs["samples"]) / "samples.npz") as archive:
        feeds = {name: torch.from_numpy(archive[name]) for name in net.inputs}
    with torch.no_grad():
        outputs = batching.alone(net, feeds)
    np.savez(Path(request.out) / "outputs.npz", **{name: value.numpy() for name, value in outputs.items()})
    return None


@operation
def gradient(request: Request) -> object:
    """ir, samples -> gradient.npz: of the sum of the outputs of all samples at once, for each weight."""
    net = network.Network(ir.load(str(Path(request.inputs["ir"]) / "model.onnx")))
    with np.load(Path(request.inputs["samples"]) / "samples.npz") as archive:
        feeds = {name: torch.from_numpy(archive[name]).flatten(0, 1) for name in net.inputs}
    sum(output.sum() for output in net(feeds).values()).backward()
    np.savez(Path(request.out) / "gradient.npz", **{name: weight.grad.numpy() for name, weight in net.learned()})
    return None

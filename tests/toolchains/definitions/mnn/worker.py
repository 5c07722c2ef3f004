"""Converts with the command that users of MNN run, as it comes: the whole of what it does is what the test is about."""

import os
import subprocess

import numpy as np
from dlpipe_worker import Request, operation


@operation
def convert(request: Request) -> object:
    """`model.onnx` -> `model.mnn`. params: environ, further variables for the converter. Returns its exit status."""
    source, target = os.path.join(request.inputs["model"], "model.onnx"), os.path.join(request.out, "model.mnn")
    command = ["mnnconvert", "-f", "ONNX", "--modelFile", source, "--MNNModel", target]
    # Its chatter goes where every tool's goes: into the log of the call.
    return subprocess.run(command, env={**os.environ, **request.params["environ"]}, check=False).returncode


@operation
def run(request: Request) -> object:
    """One inference of `model.mnn`, from `x` (params: a list of float32) to `y`, as a list."""
    import MNN

    net = MNN.nn.load_module_from_file(os.path.join(request.inputs["model"], "model.mnn"), ["x"], ["y"])
    x = np.array([request.params["x"]], np.float32)
    return np.asarray(net.forward([MNN.expr.const(x, list(x.shape), MNN.expr.NCHW)])[0].read()).reshape(-1).tolist()

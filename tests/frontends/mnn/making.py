"""ONNX -> MNN by MNN's own converter, in its toolchain and in the jail: called as a library, it neither installs nor
phones. Runs in a worker."""

from pathlib import Path

from dlpipe_worker import Request, operation


@operation
def convert(request: Request) -> object:
    """model: `model.onnx` -> `net.mnn`. params: options (of mnnconvert)."""
    import _tools

    source, target = Path(request.inputs["model"], "model.onnx"), Path(request.out, "net.mnn")
    words = ["mnnconvert", "-f", "ONNX", "--modelFile", str(source), "--MNNModel", str(target)]
    _tools.mnnconvert([*words, "--bizCode", "test", *request.params["options"]])
    return target.is_file()

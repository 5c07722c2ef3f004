"""Models of other frameworks -> MNN by MNN's own converter, in its toolchain and in the jail: called as a library, it
neither installs nor phones. Runs in a worker."""

from pathlib import Path

from dlpipe_worker import Request, operation


@operation
def convert(request: Request) -> object:
    """model: a folder -> `net.mnn`. params: files ({option of mnnconvert: file in it}), options (further ones)."""
    import _tools

    target = Path(request.out, "net.mnn")
    words = ["mnnconvert", "--MNNModel", str(target), "--bizCode", "test"]
    for option, name in request.params["files"].items():
        words += [option, str(Path(request.inputs["model"], name))]
    _tools.mnnconvert([*words, *request.params["options"]])
    return target.is_file()

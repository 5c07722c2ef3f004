"""dlpipe's passes in this process: the same worker code that a toolchain runs, for a machine without a network, where
none can be installed."""

import importlib
import shutil
import sys
import types
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2] / "dlpipe"
_HOUSE = "dlpipe_here"


def run(name: str, ir: Path, out: Path, **params: Any) -> dict[str, Any]:
    """One pass: IR folder -> IR folder `out`. `params` are the pass's own, with the folders it needs (train=, teacher=,
    samples=) among them. Returns what the pass says of itself."""
    inputs = {key: params.pop(key) for key in ("train", "teacher", "samples") if key in params}
    call = importlib.import_module("dlpipe.passes.registry").pass_call(name, **params)
    worker = call.worker.relative_to(_ROOT).with_suffix("")
    out.mkdir(parents=True)
    return importlib.import_module(f"{_HOUSE}.{'.'.join(worker.parts)}").apply(
        _Request(call.params, inputs | {"ir": ir}, out)
    )


class _Request:
    def __init__(self, params: Any, inputs: dict[str, Path], out: Path) -> None:
        self.params, self.inputs, self.out = params, inputs, out

    def hand_on(self, name: str, file: str) -> None:
        """A file of an input is one of the output, unchanged."""
        shutil.copyfile(self.inputs[name] / file, self.out / file)

    def note(self, *words: Any) -> None:
        print("  note:", *words, flush=True)

    def progress(self, message: str, share: float | None = None) -> None:
        del message, share


class _Silent:
    """In place of TensorBoard's files, which nobody reads here."""

    def __init__(self, **_: Any) -> None:
        pass

    def add_scalar(self, *_: Any) -> None:
        pass

    def close(self) -> None:
        pass


def _build() -> None:
    """A house with the rooms of dlpipe that are needed, without its front door, which imports what is not here."""
    sys.path.insert(0, str(_ROOT / "toolchains" / "runtime"))
    for name in ("dlpipe", _HOUSE):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [str(_ROOT)]
    sys.modules["tensorboardX"] = types.ModuleType("tensorboardX")
    sys.modules["tensorboardX"].SummaryWriter = _Silent


_build()

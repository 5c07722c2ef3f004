"""Every operator, made and executed by MXNet (cases.py), converted by dlpipe, and equal."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import DlpipeError
from dlpipe.ir import calls
from dlpipe.toolchains import Toolchains

from .conftest import FRONTEND, load, worst

pytestmark = pytest.mark.interpreter
# Cases whose first dim is no batch, or is not the same for all inputs.
FIXED = {"broadcast-like-axes", "decode", "diag", "diag-made", "gather-nd", "mask-0"}
SNIFFED = Sniffed("mxnet/symbol", "mxnet", "x-symbol.json")


@pytest.fixture(scope="module")
def made(toolchains: Toolchains, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mxnet-cases")
    python = toolchains.ensure("mxnet").python
    assert python is not None
    script = Path(__file__).with_name("cases.py")
    done = subprocess.run([python, script, out], timeout=300, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return out


@pytest.mark.slow
def test_operators(made: Path, work: Any) -> None:
    """In one test, because the folder of all cases is made at once. The first dim of every input is left open."""
    wrong = {}
    for folder in sorted(made.iterdir()):
        try:
            difference = _compare(work, folder, free=folder.name not in FIXED and not folder.name.startswith("rnn-"))
        except DlpipeError as error:
            wrong[folder.name] = str(error)
            continue
        if not difference < 1e-5:
            wrong[folder.name] = f"differs by {difference:.2g}"
    assert not wrong, "\n".join(f"{name}: {reason}" for name, reason in wrong.items())


def test_the_list_of_operators_is_mxnets_own(toolchains: Toolchains, work: Any) -> None:
    """operators.txt holds what the runtime registers, without gradients, random numbers, optimizers and NumPy's."""
    python = toolchains.ensure("mxnet").python
    assert python is not None
    script = "from mxnet.base import _LIB; import ctypes\n" + _LIST
    listed = subprocess.run([python, "-c", script], timeout=120, capture_output=True, text=True, check=True).stdout
    left_out = ("_backward", "_broadcast_backward", "_np", "_sg_", "_random", "_sample", "random_", "sample_")
    names = {
        name
        for name in listed.split()
        if not name.startswith(left_out) and "backward" not in name and "_update" not in name
    }
    _, value = work(FRONTEND.operators_call(), {})
    told = value["operators"]
    assert names <= set(told)
    supported = [name for name in names if told[name]["support"] != "none"]
    assert len(supported) > 250
    assert told["Convolution"]["support"] == "partial"
    assert told["Custom"] == {"support": "none", "note": None}


_LIST = """
names, count = ctypes.POINTER(ctypes.c_char_p)(), ctypes.c_uint()
_LIB.MXListAllOpNames(ctypes.byref(count), ctypes.byref(names))
print(*(names[index].decode() for index in range(count.value)))
"""


def _compare(work: Any, folder: Path, free: bool) -> float:
    """The largest difference, in units of the range."""
    known = load(folder / "x.npz")
    feeds = {name[3:]: array for name, array in known.items() if name.startswith("in_")}
    wanted = [array for name, array in known.items() if name.startswith("out_")]
    shapes = {
        name: {"shape": [-1, *each.shape[1:]] if free else list(each.shape), "dtype": each.dtype.name}
        for name, each in feeds.items()
    }
    source = work.source(folder)
    ir, _ = work(FRONTEND.import_call(SNIFFED, ImportOptions(inputs=shapes)), {"source": source})
    samples = work.new_folder()
    np.savez(samples / "samples.npz", **{name: array[None] for name, array in feeds.items()})
    out, _ = work(calls.run_call(), {"ir": ir, "samples": samples})
    found = [array[0] for array in load(out / "outputs.npz").values()]
    return worst(found, wanted)

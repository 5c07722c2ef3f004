"""Layers and functions of Paddle, in the form of version 3 and of 2, converted and equal."""

from __future__ import annotations

import os
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

REFUSED = {"rnn": "not valid ONNX"}  # what paddle2onnx gets wrong is told, and the reason


@pytest.mark.slow
@pytest.mark.parametrize("form", ["new", "old"])
def test_operators(toolchains: Toolchains, work: Any, tmp_path: Path, form: str) -> None:
    """In one test, because the folder of all cases is made at once."""
    python = toolchains.ensure("paddle").python
    assert python is not None
    script, out = Path(__file__).with_name("cases.py"), tmp_path / "cases"
    out.mkdir()
    chosen = {**os.environ, "FLAGS_enable_pir_api": "0" if form == "old" else "1", "GLOG_minloglevel": "2"}
    command = [str(python), str(script), str(out), form]
    done = subprocess.run(command, timeout=300, capture_output=True, text=True, env=chosen)
    assert done.returncode == 0, done.stderr[-2000:]
    wrong = {}
    for folder in sorted(out.iterdir()):
        try:
            difference = _compare(work, folder, form)
        except (DlpipeError, AssertionError) as error:
            if REFUSED.get(folder.name, "") not in str(error) or folder.name not in REFUSED:
                wrong[folder.name] = str(error)
            continue
        if not difference < 1e-5:
            wrong[folder.name] = f"differs by {difference:.2g}"
    assert not wrong, "\n".join(f"{name}: {reason}" for name, reason in wrong.items())


def _compare(work: Any, folder: Path, form: str) -> float:
    """The largest difference, in units of the range."""
    known = load(folder / "x.npz")
    feeds = {name[3:]: array for name, array in known.items() if name.startswith("in_")}
    wanted = [array for name, array in known.items() if name.startswith("out_")]
    (entry,) = [path.name for path in folder.iterdir() if path.suffix in (".json", ".pdmodel")]
    sniffed = Sniffed("paddle/json" if form == "new" else "paddle/program", "paddle", entry)
    options = ImportOptions(dims={"H": 12, "W": 10} if folder.name == "adaptive-free" else {})
    ir, _ = work(FRONTEND.import_call(sniffed, options), {"source": folder})
    samples = work.new_folder()
    np.savez(samples / "samples.npz", **{name: array[None] for name, array in feeds.items()})
    out, _ = work(calls.run_call(), {"ir": ir, "samples": samples})
    return worst([array[0] for array in load(out / "outputs.npz").values()], wanted)

"""The model that was read back, run under the names of the one that was written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime as ort

from ..arrays import npz


def run_renamed(
    ir: Path, again: Path, samples: Path, out: Path, inputs: Mapping[str, str], outputs: Mapping[str, str]
) -> int:
    """Returns the number of samples. inputs, outputs: name in `ir` -> name in `again`."""
    wanted = {each["name"]: each for each in json.loads((ir / "contract.json").read_text())["outputs"]}
    contract = json.loads((again / "contract.json").read_text())
    known = {each["source"]: each for side in ("inputs", "outputs") for each in contract[side]}
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(again / "model.onnx"), options, providers=["CPUExecutionProvider"])
    with np.load(samples / "samples.npz", allow_pickle=False) as file:
        fed = {
            known[text]["name"]: file[name].astype(known[text]["dtype"], copy=False)
            for name, text in inputs.items()
            if text in known  # an input that no output needs is not read back
        }
        count = len(file[next(iter(file.files))]) if file.files else 1
    names = [known[text]["name"] for text in outputs.values()]
    found = [session.run(names, {name: array[index] for name, array in fed.items()}) for index in range(count)]
    stacked = (
        (name, np.stack([each[position] for each in found]).astype(wanted[name]["dtype"]))
        for position, name in enumerate(outputs)
    )
    npz.write(out, stacked)
    return count

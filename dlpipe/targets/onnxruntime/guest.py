"""Executes an artefact with ONNX Runtime. Imported by the worker, and run as a program under emulation.

It needs numpy and onnxruntime and nothing of dlpipe, so that it can run in a foreign root.
"""

import json
import os
import platform
import sys
import zipfile
from collections.abc import Callable

import numpy as np
import onnxruntime as ort


def open_session(artifact: str, threads: int = 1) -> ort.InferenceSession:
    """The artefact in a folder, on the CPU and nowhere else."""
    with open(os.path.join(artifact, "run.json"), encoding="utf-8") as file:
        entry = json.load(file)["entry"]
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # it would disturb what runs beside it
    session = ort.InferenceSession(os.path.join(artifact, entry), options, providers=["CPUExecutionProvider"])
    if session.get_providers() != ["CPUExecutionProvider"]:
        raise RuntimeError(f"expected to run on the CPU, got {session.get_providers()}")
    return session


def execute(artifact: str, samples: str, outputs: str, progress: Callable[[float], None]) -> dict[str, object]:
    """Feed sample after sample; write an array [N, *output_shape] for each output. Returns what ran where."""
    session = open_session(artifact)
    names = [port.name for port in session.get_outputs()]
    with np.load(samples, allow_pickle=False) as archive:
        feeds = {port.name: archive[port.name] for port in session.get_inputs()}
    count = min(len(array) for array in feeds.values())
    results: list[list[np.ndarray]] = []
    for index in range(count):
        results.append([np.asarray(y) for y in session.run(names, {name: x[index] for name, x in feeds.items()})])
        progress((index + 1) / count)
    save(outputs, {name: np.stack([result[i] for result in results]) for i, name in enumerate(names)})
    return {
        "machine": platform.machine(),
        "tool": f"onnxruntime {ort.__version__}",
        "providers": session.get_providers(),
        "samples": count,
    }


def first_sample(session: ort.InferenceSession, samples: str) -> dict[str, np.ndarray]:
    with np.load(samples, allow_pickle=False) as archive:
        return {port.name: archive[port.name][0] for port in session.get_inputs()}


def save(path: str, arrays: dict[str, np.ndarray]) -> None:
    """An .npz of any names (numpy.savez takes no array called "file"), the same bytes for the same arrays."""
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(name + ".npy"), "w", force_zip64=True) as file:
                plain = array.astype(np.str_) if array.dtype == object else array
                np.lib.format.write_array(file, np.ascontiguousarray(plain), allow_pickle=False)


def say(**what: object) -> None:
    """One line to the worker that started this program."""
    print("dlpipe " + json.dumps(what), flush=True)


if __name__ == "__main__":
    say(result=execute(sys.argv[1], sys.argv[2], sys.argv[3], lambda done: say(progress=done)))

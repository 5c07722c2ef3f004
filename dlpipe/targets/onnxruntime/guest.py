"""Executes an artefact with ONNX Runtime. Imported by the worker, and run as a program under emulation.

It needs numpy and onnxruntime and nothing of dlpipe, so that it can run in a foreign root.
"""

import json
import platform
import statistics
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

Array = np.ndarray[Any, Any]


def open_session(artifact: str, threads: int = 1) -> ort.InferenceSession:
    """The artefact in a folder, on the CPU and nowhere else."""
    entry = json.loads(Path(artifact, "run.json").read_text(encoding="utf-8"))["entry"]
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # it would disturb what runs beside it
    session = ort.InferenceSession(str(Path(artifact, entry)), options, providers=["CPUExecutionProvider"])
    if session.get_providers() != ["CPUExecutionProvider"]:
        raise RuntimeError(f"expected to run on the CPU, got {session.get_providers()}")
    return session


def execute(artifact: str, samples: str, outputs: str, progress: Callable[[float], None]) -> dict[str, Any]:
    """Feed sample after sample; write an array [N, *output_shape] for each output. Returns what ran where."""
    session = open_session(artifact)
    names = [port.name for port in session.get_outputs()]
    with np.load(samples, allow_pickle=False) as archive:
        feeds = {port.name: archive[port.name] for port in session.get_inputs()}
    count = min(len(array) for array in feeds.values())
    results, seconds = [], []
    for index in range(count):
        started = time.perf_counter()
        results.append(session.run(names, {name: array[index] for name, array in feeds.items()}))
        seconds.append(time.perf_counter() - started)
        progress((index + 1) / count)
    save(outputs, {name: np.stack([np.asarray(result[i]) for result in results]) for i, name in enumerate(names)})
    return {
        "machine": platform.machine(),
        "tool": f"onnxruntime {ort.__version__}",
        "providers": session.get_providers(),
        "samples": count,
        "median_seconds": statistics.median(seconds),
    }


def first_sample(session: ort.InferenceSession, samples: str) -> dict[str, Array]:
    with np.load(samples, allow_pickle=False) as archive:
        return {port.name: archive[port.name][0] for port in session.get_inputs()}


def save(path: str, arrays: dict[str, Array]) -> None:
    """An .npz of any names (numpy.savez takes no array called "file"), the same bytes for the same arrays."""
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(name + ".npy"), "w", force_zip64=True) as file:
                plain = array.astype(np.str_) if array.dtype == object else array
                np.lib.format.write_array(file, np.ascontiguousarray(plain), allow_pickle=False)


def say(**what: object) -> None:
    """One line to the worker that started this program."""
    sys.stdout.write("dlpipe " + json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    say(result=execute(sys.argv[1], sys.argv[2], sys.argv[3], lambda done: say(progress=done)))

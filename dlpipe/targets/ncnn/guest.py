"""Executes an artefact with ncnn. Imported by the worker, and run as a program under emulation.

It needs numpy and ncnn and nothing of dlpipe, so that it can run in a foreign root.
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

import ncnn
import numpy as np

Array = np.ndarray[Any, Any]


class Model:
    """An artefact in a folder. run.json says how its blobs map to the inputs and outputs of the ONNX model."""

    def __init__(self, artifact: str, threads: int = 1) -> None:
        self.description = json.loads(Path(artifact, "run.json").read_text(encoding="utf-8"))
        self._net = ncnn.Net()
        self._net.opt.use_vulkan_compute = False
        self._net.opt.num_threads = threads
        for name, value in self.description["options"].items():
            setattr(self._net.opt, name, value)
        for load, file in ((self._net.load_param, "model.param"), (self._net.load_model, "model.bin")):
            if load(str(Path(artifact, file))) != 0:
                raise RuntimeError(f"ncnn does not load {file}")

    def __call__(self, feed: dict[str, Array]) -> dict[str, Array]:
        """ONNX input name -> array in; ONNX output name -> array of the ONNX model's shape and dtype out."""
        extractor = self._net.create_extractor()
        for port in self.description["inputs"]:
            value = feed[port["name"]]
            plain = np.ascontiguousarray(value, np.int32 if np.issubdtype(value.dtype, np.integer) else np.float32)
            extractor.input(port["blob"], ncnn.Mat(plain, batch_index=port["batch_index"]).clone())
        found = {}
        for port in self.description["outputs"]:
            status, blob = extractor.extract(port["blob"])
            if status != 0:
                raise RuntimeError(f"ncnn failed to compute {port['name']} (status {status})")
            found[port["name"]] = shaped(np.array(blob.numpy(batch_index=port["batch_index"])), port)
        return found


def shaped(value: Array, port: dict[str, Any]) -> Array:
    """ncnn drops dims of one: give them back. A shape that differs in more than that is an error."""
    wanted = [dim if isinstance(dim, int) else None for dim in port["shape"]]
    if len(wanted) != value.ndim or any(w not in (None, g) for w, g in zip(wanted, value.shape, strict=True)):
        ones = [1 if dim is None else dim for dim in wanted]
        if [dim for dim in ones if dim != 1] != [dim for dim in value.shape if dim != 1]:
            raise RuntimeError(f"ncnn computed {port['name']} as {value.shape}, and the model says {port['shape']}")
        value = value.reshape(ones)
    return value.astype(port["dtype"], copy=False)


def execute(artifact: str, samples: str, outputs: str, progress: Callable[[float], None]) -> dict[str, Any]:
    """Feed sample after sample; write an array [N, *output_shape] for each output. Returns what ran where."""
    model = Model(artifact)
    with np.load(samples, allow_pickle=False) as archive:
        feeds = {port["name"]: archive[port["name"]] for port in model.description["inputs"]}
    count = min(len(array) for array in feeds.values())
    results, seconds = [], []
    for index in range(count):
        started = time.perf_counter()
        results.append(model({name: array[index] for name, array in feeds.items()}))
        seconds.append(time.perf_counter() - started)
        progress((index + 1) / count)
    save(outputs, {name: np.stack([result[name] for result in results]) for name in results[0]})
    return {
        "machine": platform.machine(),
        "tool": f"ncnn {ncnn.__version__}",
        "samples": count,
        "median_seconds": statistics.median(seconds),
    }


def save(path: str, arrays: dict[str, Array]) -> None:
    """An .npz of any names (numpy.savez takes no array called "file"), the same bytes for the same arrays."""
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(name + ".npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def say(**what: object) -> None:
    """One line to the worker that started this program."""
    sys.stdout.write("dlpipe " + json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    say(result=execute(sys.argv[1], sys.argv[2], sys.argv[3], lambda done: say(progress=done)))

"""Feeds an artefact sample after sample. A backend brings `open_model(artifact, threads)` -> `Model`.

Used by workers on this machine, and by programs that run under emulation or on a board: NumPy and the standard library.
"""

from __future__ import annotations

import json
import platform
import resource
import statistics
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]


class Model:
    """An artefact, loaded. `tool`: its runtime with version, e.g. "ncnn 1.0". `inputs`: names of what it is fed with.

    `proof` is what the runtime itself says of where it computes (providers, device names, delegated operators); it is
    kept with the outputs. A model that finds itself on another device than asked for raises RuntimeError.
    """

    tool = ""
    inputs: tuple[str, ...] = ()

    @property
    def proof(self) -> Mapping[str, Any]:
        return {}

    def run(self, feeds: Mapping[str, Array]) -> Arrays:
        """One sample: input's name -> array, to output's name -> array of the contract's shape and dtype."""
        raise NotImplementedError


Open = Callable[[str, int], Model]


def described(artifact: str) -> Any:
    """What the artefact's run.json says."""
    return json.loads(Path(artifact, "run.json").read_text(encoding="utf-8"))


def execute(
    open_model: Open, artifact: str, samples: str, outputs: str, progress: Callable[[float], None]
) -> dict[str, Any]:
    """Feed every sample; write an array [N, *output_shape] for each output. Returns what ran where."""
    model = open_model(artifact, 1)
    feeds = read(samples, model.inputs)
    count = min(len(array) for array in feeds.values())
    found, seconds = [], []
    for index in range(count):
        started = time.perf_counter()
        found.append(model.run(_sample(feeds, index)))
        seconds.append(time.perf_counter() - started)
        progress((index + 1) / count)
    save(outputs, {name: np.stack([np.asarray(each[name]) for each in found]) for name in found[0]})
    return {
        "machine": platform.machine(),
        "tool": model.tool,
        "samples": count,
        "median_seconds": statistics.median(seconds),
        **model.proof,
    }


def _sample(feeds: Arrays, index: int) -> Arrays:
    """Arrays still, where an element would be a bare number: of inputs without dims."""
    return {name: np.asarray(array[index]) for name, array in feeds.items()}


def read(samples: str, names: tuple[str, ...]) -> Arrays:
    """Of a samples.npz: name -> [N, *shape]."""
    with np.load(samples, allow_pickle=False) as archive:
        return {name: archive[name] for name in names}


def conforming(value: Array, port: Mapping[str, Any], tool: str) -> Array:
    """`value` in the contract's dtype. Raises RuntimeError where its shape is another than the contract's."""
    wanted = [dim if isinstance(dim, int) else None for dim in port["shape"]]
    if len(wanted) != value.ndim or any(w not in (None, g) for w, g in zip(wanted, value.shape, strict=True)):
        raise RuntimeError(f"{tool} computed {port['name']} as {value.shape}, and the model says {port['shape']}")
    return value.astype(port["dtype"], copy=False)


def save(path: str, arrays: Mapping[str, Array]) -> None:
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


def main(open_model: Open) -> None:
    """How a program under emulation or on a board is called: `program ARTIFACT SAMPLES.npz OUTPUTS.npz`, or with --time
    in place of the outputs: then it times the first sample as often as lines {"warmup": count, "runs": count} say."""
    artifact, samples, outputs = sys.argv[1:4]
    if outputs == "--time":
        times(open_model, artifact, samples)
    else:
        say(result=execute(open_model, artifact, samples, outputs, lambda done: say(progress=done)))


def times(open_model: Open, artifact: str, samples: str) -> None:
    """Answer each line on standard input with what a `time` operation gives."""
    held = Held(open_model, artifact, samples, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        say(result=held.times(asked["warmup"], asked["runs"]))


class Held:
    """A loaded model, and the first sample that it is fed with."""

    def __init__(self, open_model: Open, artifact: str, samples: str, threads: int) -> None:
        started = time.perf_counter()
        self.model = open_model(artifact, threads)
        self.load_seconds = time.perf_counter() - started
        self.feeds = _sample(read(samples, self.model.inputs), 0)

    def times(self, warmup: int, runs: int) -> dict[str, Any]:
        """Seconds of each run, of loading, of the first run; bytes of memory at most, of the whole process."""
        seconds = [self._timed() for _ in range(warmup + runs)]
        return {
            "seconds": seconds[warmup:],
            "load_seconds": self.load_seconds,
            "first_seconds": seconds[0] if seconds else None,
            "peak_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }

    def _timed(self) -> float:
        started = time.perf_counter()
        self.model.run(self.feeds)
        return time.perf_counter() - started

"""Repeated timings of unchanged artefacts: the noise that `dlpipe gate` must not take for a regression.

    python benchmarks/gate_noise.py OUT_FOLDER ARTEFACT... --repeats 101 --to tests/measure/reruns.json

Every repeat is what a run would do: new processes, and its own interleaved timing. The first of what is timed is the
output folder's model.onnx on ONNX Runtime, which the ratios are to.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from dlpipe.pipeline.bench import bench
from dlpipe.pipeline.session import Session
from dlpipe.toolchains.manager import default_cache_dir


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("artefacts", nargs="+", help="their folders, relative to the output folder")
    parser.add_argument("--repeats", type=int, default=101)
    parser.add_argument("--to", type=Path, required=True)
    given = parser.parse_args()
    specs = [str(given.folder / each) for each in ("model.onnx", *given.artefacts)]
    toolchains = default_cache_dir() / "toolchains"
    reruns: list[dict[str, list[float]]] = []
    machine = ""
    for number in range(given.repeats):
        with tempfile.TemporaryDirectory() as cache:  # nothing of an earlier repeat is found there
            (Path(cache) / "toolchains").symlink_to(toolchains)
            with _session(Path(cache)) as session:
                timed = bench(session, specs)["timed"]
                machine = session.machine
        reruns.append({name: _ratio(timed[spec]) for name, spec in zip(given.artefacts, specs[1:], strict=True)})
        given.to.write_text(json.dumps({"machine": machine, "reruns": reruns}) + "\n", encoding="utf-8")
        print(number + 1, reruns[-1], flush=True)


def _session(cache: Path) -> Session:
    import os

    os.environ["DLPIPE_CACHE_DIR"] = str(cache)
    return Session(offline=True)


def _ratio(timing: dict[str, object]) -> list[float]:
    """Speed-up, and the two ends of its 95 % bootstrap interval."""
    (found,) = timing["speedups"]
    return [round(each, 4) for each in (found["value"], *found["ci95"])]


if __name__ == "__main__":
    main()

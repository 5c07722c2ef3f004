"""The training loop on the CPU and on the GPU: the same losses at first, and how long a step takes.

    apt-get download dataset-fashion-mnist && dpkg -x dataset-fashion-mnist_*.deb fashion-mnist
    python benchmarks/gpu_training.py fashion-mnist/usr/share/datasets/fashion-mnist

Wants torch, onnx, onnx-ir and onnxscript in its Python; dlpipe need not be installed (`fashion/here.py`). The network
is the one of `fashion/resnet.py`, untrained, its batch norms trained on batches. Figures go to
`benchmarks/results/gpu_training.json`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir
import torch

sys.path.insert(0, str(Path(__file__).parent))

from fashion import data, resnet
from fashion.here import run as run_pass

_RESULTS = Path(__file__).parent / "results" / "gpu_training.json"
_HOUSE = "dlpipe_here.passes"
_COMPARED = 20  # steps whose losses are held against each other: later on rounding has grown
_WARM = 20  # steps that are not timed: kernels are chosen, memory is fetched


class Collector:
    """In place of the log book: the loss of each step, and when it was there."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.times: list[float] = []

    def scalars(self, step: int, values: dict[str, float]) -> None:
        del step
        if "loss" in values:
            self.losses.append(values["loss"])
            self.times.append(time.perf_counter())

    def say(self, message: str, share: float) -> None:
        del message, share

    def close(self) -> None:
        pass


def train(ir: Path, train_folder: Path, device: str, batch: int, steps: int) -> dict[str, Any]:
    """{losses, ms per step, accuracy on what is held out} of so many steps on that device."""
    modules = {
        name: importlib.import_module(f"{_HOUSE}.{name}")
        for name in (
            "graph.infra",
            "graph.inference",
            "training.preparing",
            "training.loop",
            "training.settings",
            "training.state",
        )
    }
    known = importlib.import_module("dlpipe.passes.known.training").TRAINING
    params = {**known, "device": device, "batch": batch, "steps": steps, "hard": 1.0, "soft": 0.0, "norm": "batch"}
    params |= {"optimizer": "sgd", "rate": 0.05, "weight_decay": 5e-4, "processes": 1}
    work = modules["graph.infra"].Work(params, {"ir": ir, "train": train_folder}, print, lambda *_: None)
    model = onnx_ir.load(ir / "model.onnx")
    modules["graph.inference"].infer(model)
    settings = modules["training.settings"].Settings.of(params)
    job = modules["training.preparing"].prepare(model, None, work, settings, None)
    job.logbook = Collector()
    state = modules["training.state"].State()
    modules["training.loop"].train(job, state)
    gaps = np.diff(job.logbook.times[_WARM:])
    return {
        "losses": job.logbook.losses[:_COMPARED],
        "ms_per_step": 1000 * float(np.median(gaps)),
        "held_out_accuracy": [each["held-out/accuracy"] for each in state.history],
    }


def main(options: argparse.Namespace) -> None:
    figures: dict[str, Any] = {
        "torch": torch.__version__,
        "cpu": platform.processor(),
        "cores": torch.get_num_threads(),
    }
    figures["gpu"] = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        images, labels = data.read(options.data, "train")
        data.write_samples(images, labels, work / "train")
        torch.manual_seed(0)
        (work / "ir").mkdir()
        resnet.export(resnet.ResNet().eval(), work / "ir" / "model.onnx")
        (work / "ir" / "contract.json").write_text("{}")
        for batch in options.batches:
            for device in ("cpu", "cuda") if figures["gpu"] else ("cpu",):
                torch.backends.cudnn.allow_tf32 = False  # else losses part by the rounding of TF32, which is 1e-3
                found = train(work / "ir", work / "train", device, batch, options.steps)
                figures[f"{device}, batch {batch}"] = found
                print(
                    f"{device}, batch {batch}: {found['ms_per_step']:.2f} ms a step, {found['held_out_accuracy']}",
                    flush=True,
                )
            if figures["gpu"]:
                one, other = (np.array(figures[f"{each}, batch {batch}"]["losses"]) for each in ("cpu", "cuda"))
                apart = np.abs(one - other)
                figures[f"batch {batch}, losses apart"] = apart.tolist()
                print(
                    f"  losses apart: first {apart[0]:.1e}, after 5 {apart[4]:.1e}, after {_COMPARED} {apart[-1]:.1e}"
                )
        if figures["gpu"] and options.whole:
            started = time.monotonic()
            said = run_pass(
                "fine-tune",
                work / "ir",
                work / "out",
                train=work / "train",
                epochs=options.whole,
                batch=256,
                optimizer="sgd",
                rate=0.05,
                weight_decay=5e-4,
                hard=1.0,
                soft=0.0,
                augment=["flip", "shift"],
            )
            figures["fine-tune"] = {"seconds": time.monotonic() - started, **said}
            print(f"fine-tune, {options.whole} epochs: {said['history'][-1]}, {said['device']}, {said['seconds']} s")
    options.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="the folder with the four .gz files")
    parser.add_argument("--batches", type=int, nargs="+", default=[256, 2048])
    parser.add_argument("--steps", type=int, default=60, help="on both: the rate of a step depends on how many follow")
    parser.add_argument("--whole", type=float, default=5, help="epochs of a whole fine-tune pass on the GPU; 0: none")
    parser.add_argument("--out", type=Path, default=_RESULTS)
    main(parser.parse_args())

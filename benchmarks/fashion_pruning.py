"""Channel pruning and sparsity with distillation, on a ResNet trained on Fashion-MNIST: what is lost, what is gained.

    apt-get download dataset-fashion-mnist && dpkg -x dataset-fashion-mnist_*.deb fashion-mnist
    python benchmarks/fashion_pruning.py fashion-mnist/usr/share/datasets/fashion-mnist

Wants torch, onnx, onnx-ir, onnxscript and onnxruntime in its Python, and takes the GPU if torch sees one; two cores of
a CPU take a day for the same (`--epochs 3 --tune 2 --seeds 1 --only channels-50` gives an idea). The passes are
dlpipe's own code (`fashion/here.py`), the training of the original is plain torch (`fashion/resnet.py`). Nothing is
chosen by the test images: passes keep the weights that are best on a part of the training images. Figures go to
`benchmarks/results/fashion_pruning.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
import traceback
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import onnx
import torch

sys.path.insert(0, str(Path(__file__).parent))

from fashion import candidates, data, judge, latency, resnet

_RESULTS = Path(__file__).parent / "results" / "fashion_pruning.json"
_ROUNDS = {1: 4000, 32: 200}  # of timing, by batch


def main(options: argparse.Namespace) -> None:
    started = time.monotonic()
    images, labels = (each[: options.images] for each in data.read(options.data, "train"))
    test, answers = data.read(options.data, "t10k")
    shutil.rmtree(options.work, ignore_errors=True)
    data.write_samples(images, labels, options.work / "train")
    resnet.export(resnet.train(images, labels, epochs=options.epochs, seed=0), options.work / "user.onnx")
    original = candidates.original(options.work / "user.onnx", options.work)
    right = judge.right(original.model, test, answers)
    models = {"original": original.model}
    result: dict[str, Any] = {
        "settings": {"baseline_epochs": options.epochs, "tuning_epochs": options.tune, **candidates.TRAINING},
        "tools": _tools(),
        "data": {"training_images": len(images), "test_images": len(test)},
        "models": {"original": {"accuracy": judge.accuracy(right), **original.facts}},
    }
    print(f"original: {judge.accuracy(right)}, {time.monotonic() - started:.0f} s", flush=True)
    for name, built in _built(options, started + 60 * options.minutes):
        theirs = judge.right(built.model, test, answers)
        found = {"accuracy": judge.accuracy(theirs), "drop": judge.drop(right, theirs), **built.facts}
        result["models"][name], models[name] = found, built.model
        print(f"{_line(name, found)}, {time.monotonic() - started:.0f} s", flush=True)
        _save(options, result, models)
    result["seconds"] = round(time.monotonic() - started)
    _time(result, models, test)
    _save(options, result, models)


def time_again(options: argparse.Namespace) -> None:
    """The models of an earlier run, on this machine: training wants a GPU, timing a processor like the target's."""
    result = json.loads(options.out.read_text())
    shutil.rmtree(options.work, ignore_errors=True)
    with zipfile.ZipFile(options.time) as archive:
        archive.extractall(options.work)
    _time(
        result, {name: options.work / f"{name}.onnx" for name in result["models"]}, data.read(options.data, "t10k")[0]
    )
    options.models = None
    _save(options, result, {})


def _time(result: dict[str, Any], models: dict[str, Path], images: Any) -> None:
    result["machine"] = latency.machine()
    result["latency"] = {
        f"batch_{batch}": latency.interleaved(models, images[:batch], rounds=rounds)
        for batch, rounds in _ROUNDS.items()
    }
    for batch, timed in result["latency"].items():
        for name, found in timed.items():
            macs = result["models"][name].get("macs")
            cut = f", MACs cut by {macs['before'] / macs['after']:.2f}" if macs else ""
            print(f"{batch}: {name} {found['ms']:.3f} ms, {found['speedup']:.2f}x {found['ci95']}{cut}", flush=True)


def _built(options: argparse.Namespace, until: float) -> Iterator[tuple[str, candidates.Built]]:
    """As they are ready. One that fails is said, and the others go on; none is begun after `until`."""
    wanted = [each for each in candidates.wanted(options.tune, options.seeds) if each.name.startswith(options.only)]
    threads = max(1, (os.cpu_count() or 1) // options.jobs)
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), torch.set_num_threads, (threads,)) as pool:
        running = {pool.submit(candidates.build, each, options.work): each.name for each in wanted}
        for future in as_completed(running):
            if time.monotonic() > until:
                for each in running:
                    each.cancel()
            if future.cancelled():
                print(f"{running[future]}: not begun, the time is over", flush=True)
            elif (error := future.exception()) is not None:
                print(f"{running[future]}: FAILED", *traceback.format_exception(error), sep="\n", flush=True)
            else:
                yield running[future], future.result()


def _save(options: argparse.Namespace, result: dict[str, Any], models: dict[str, Path]) -> None:
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    if options.models is not None:
        with zipfile.ZipFile(options.models, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, path in models.items():
                archive.write(path, f"{name}.onnx")


def _line(name: str, found: dict[str, Any]) -> str:
    low, high = found["drop"]["ci95"]
    what = f"{found['macs']['after'] / found['macs']['before']:.1%} of the MACs" if "macs" in found else ""
    what = f"{found['sparsity']:.1%} zeros" if "sparsity" in found else what
    lost = f"{found['drop']['points']:+.2f} points lost [{low:+.2f}, {high:+.2f}]"
    return f"{name}: {lost}, {what}, gzip {found['gzip_bytes']}"


def _tools() -> dict[str, Any]:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "onnx": onnx.__version__,
        "trained_on": device,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder with train-images-idx3-ubyte.gz and its three sisters")
    parser.add_argument("--work", type=Path, default=Path("fashion-work"), help="for the samples and models; emptied")
    parser.add_argument("--out", type=Path, default=_RESULTS, help="where the figures go")
    parser.add_argument("--models", type=Path, help="keep all models in this zip file")
    parser.add_argument("--epochs", type=int, default=60, help="of the original")
    parser.add_argument("--tune", type=float, default=60, help="epochs of fine-tuning")
    parser.add_argument("--seeds", type=int, default=3, help="how often the main lines are tried")
    parser.add_argument("--images", type=int, default=60_000, help="training images; fewer only to try the program")
    parser.add_argument("--only", default="", help="candidates whose names begin so")
    parser.add_argument("--minutes", type=float, default=1e6, help="after which no candidate is begun")
    parser.add_argument("--jobs", type=int, default=1, help="candidates at once; a GPU takes several")
    parser.add_argument("--time", type=Path, help="only time the models of this zip file again, into the record --out")
    asked = parser.parse_args()
    time_again(asked) if asked.time else main(asked)

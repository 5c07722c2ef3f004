"""What is tried, each as a chain of dlpipe's passes from the trained original."""

import gzip
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from . import here

# One setting for all, chosen before the test images were looked at.
TRAINING = {
    "optimizer": "sgd",
    "rate": 0.02,
    "weight_decay": 5e-4,
    "batch": 256,
    "holdout": 0.05,
    "augment": ["flip", "shift"],
    "hard": 0.3,
    "soft": 0.7,
    "temperature": 4.0,
}
_BETWEEN = 0.1  # of the epochs, for the training between two rounds of cutting
ROUNDING = {"multiple": 16, "least": 16}


@dataclass(frozen=True)
class Candidate:
    """`macs`: the parts of the original's multiply-accumulates that are left after each round of cutting. `training`:
    what differs from TRAINING."""

    name: str
    epochs: float
    macs: tuple[float, ...] = ()
    criterion: str = "taylor"
    sparsity: dict[str, Any] | None = None
    training: dict[str, Any] | None = None
    seed: int = 0


@dataclass(frozen=True)
class Built:
    model: Path
    facts: dict[str, Any]


def wanted(epochs: float, seeds: int) -> list[Candidate]:
    """The budgets, what each ingredient brings at half of the MACs, and a control: the original trained as long."""
    alone = {"hard": 1.0, "soft": 0.0}
    found = [
        Candidate("channels-50", epochs, (0.5,)),
        Candidate("sparsity-75", epochs, sparsity={"sparsity": 0.75}),
        Candidate("channels-70", epochs, (0.7,)),
        Candidate("channels-30", epochs, (0.5, 0.3)),
        Candidate("sparsity-50", epochs, sparsity={"sparsity": 0.5}),
        Candidate("sparsity-90", epochs, sparsity={"sparsity": 0.9}),
        Candidate("control", epochs),
    ]
    for seed in range(1, seeds):
        found.append(Candidate(f"channels-50-seed-{seed}", epochs, (0.5,), seed=seed))
        found.append(Candidate(f"sparsity-75-seed-{seed}", epochs, sparsity={"sparsity": 0.75}, seed=seed))
    return [
        *found,
        Candidate("channels-50-without-teacher", epochs, (0.5,), training=alone),
        Candidate("channels-50-two-rounds", epochs, (0.7, 0.5)),
        Candidate("channels-50-l2", epochs, (0.5,), criterion="l2"),
        Candidate("channels-50-activation", epochs, (0.5,), criterion="activation"),
        Candidate("sparsity-75-without-teacher", epochs, sparsity={"sparsity": 0.75}, training=alone),
        Candidate("sparsity-2of4", epochs, sparsity={"pattern": "2:4"}),
    ]


def original(model: Path, work: Path) -> Built:
    """The user's file: with its constants folded, which all candidates begin with, and as it is shipped uncompressed,
    its batch norms folded too."""
    folder = work / "user"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model.read_bytes())
    here.run("fold-constants", folder, work / "original")
    return _finish(work / "original", work / "original-finished", {})


def build(candidate: Candidate, work: Path) -> Built:
    """In `work`, where `original` and the folder `train` lie."""
    started, ir, place = time.monotonic(), work / "original", work / candidate.name
    training = {**TRAINING, **(candidate.training or {}), "seed": candidate.seed}
    training |= {"train": work / "train", "teacher": work / "original"}
    facts: dict[str, Any] = {"seed": candidate.seed, "epochs": candidate.epochs}
    for number, target in enumerate(candidate.macs):
        left = facts["macs"]["after"] / facts["macs"]["before"] if number else 1.0
        if number:
            ir, _ = _pass("fine-tune", ir, place / f"tuned-{number}", epochs=_BETWEEN * candidate.epochs, **training)
        share = {"macs": target / left, "criterion": candidate.criterion, **ROUNDING}
        name = "prune-channels" if candidate.criterion == "l2" else "prune-channels-by-data"
        ir, value = _pass(name, ir, place / f"cut-{number}", **share, **({} if name == "prune-channels" else training))
        first = facts["macs"]["before"] if number else value["macs"]["before"]
        facts |= {"macs": {"before": first, "after": value["macs"]["after"]}, "groups": value["groups"]}
    if candidate.sparsity is None:
        ir, value = _pass("fine-tune", ir, place / "tuned", epochs=candidate.epochs, **training)
    else:
        ir, value = _pass("sparsify", ir, place / "sparse", epochs=candidate.epochs, **candidate.sparsity, **training)
        facts |= {key: value[key] for key in ("sparsity", "layers", "weights")}
    facts |= {"history": value["history"], "seconds": round(time.monotonic() - started, 1)}
    return _finish(ir, place / "finished", facts)


def _pass(name: str, ir: Path, out: Path, **params: Any) -> tuple[Path, dict[str, Any]]:
    return out, here.run(name, ir, out, **params)


def _finish(ir: Path, out: Path, facts: dict[str, Any]) -> Built:
    folded = out / "folded"
    here.run("fold-batchnorm", ir, folded)
    here.run("clean", folded, out / "clean")
    path = out / "clean" / "model.onnx"
    file, stored = path.read_bytes(), onnx.load(str(path)).graph.initializer
    sizes = {"bytes": len(file), "gzip_bytes": len(gzip.compress(file, 9))}
    parameters = sum(
        onnx.numpy_helper.to_array(tensor).size for tensor in stored if tensor.data_type == onnx.TensorProto.FLOAT
    )
    return Built(path, {"parameters": parameters, **sizes, **facts})

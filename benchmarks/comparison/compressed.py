"""`dlpipe compress` as a user has it: it chooses by itself, from the calibration samples and their labels alone."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlpipe.errors import DlpipeError, Interrupted
from dlpipe.pipeline.compress.compress import compress
from dlpipe.pipeline.compress.request import CompressRequest
from dlpipe.targets import registry

from .candidates import Candidate
from .models import Model
from .words import COMPRESS, named_on, telling
from .workshop import Workshop


def compressed(shop: Workshop, model: Model, settings: Mapping[str, Any], backend: str) -> Candidate:
    """What it wrote for that backend; that is the model as it is where nothing is faster here."""
    session, backends, name = shop.session, (backend,), named_on(COMPRESS, backend)
    with tempfile.TemporaryDirectory() as scratch:
        source, out = Path(scratch, "ir"), Path(scratch, "out", "model.onnx")
        session.store.export(model.ir, source)
        out.parent.mkdir()
        request = CompressRequest(
            model=str(source / "model.onnx"),
            out=out,
            data=str(_data(shop, model, Path(scratch))),
            target=registry.here(),
            backend=registry.backend(backend),
            minimise="latency",
            trials=settings["compress"]["trials"],
            budget=settings["compress"]["seconds"],
        )
        session.executor.forget(list(session.executor.outcomes))
        try:
            done = compress(session, request)
        except Interrupted:
            raise
        except DlpipeError as error:
            return Candidate(name, "compress", None, backends, telling(error))
        chosen = done.report.chosen
        if done.error is not None or chosen is None:
            return Candidate(name, "compress", None, backends, telling(done.error) if done.error else "nothing chosen")
        tree = session.store.ingest(out.parent).digest
        said = (f"{chosen.recipe}: {chosen.reason}",)
        return Candidate(name, "compress", tree, backends, seconds=done.report.seconds or 0.0, changes=said)


def _data(shop: Workshop, model: Model, folder: Path) -> Path:
    """The calibration samples as a user's data set: x without the batch of one that the model is fed with, and y."""
    shop.session.store.export(model.calibration, folder / "samples")
    with np.load(folder / "samples" / "samples.npz", allow_pickle=False) as archive:
        (x,) = (archive[name] for name in archive.files)
    labels = json.loads((folder / "samples" / "labels.json").read_text(encoding="utf-8"))["labels"]
    arrays = {"x": x[:, 0] if x.shape[1] == 1 else x}
    if None not in labels:
        arrays["y"] = np.array(labels)
    np.savez(folder / "data.npz", **arrays)
    return folder / "data.npz"

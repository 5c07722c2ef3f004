"""ONNX -> NNEF. Runs in the core toolchain; every input and output is a folder."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Request, operation

from . import writing
from .running import run_renamed


@operation
def write(request: Request) -> dict[str, Any]:
    """ir, samples -> graph.nnef, *.dat. See `write_call`."""
    with np.load(Path(request.inputs["samples"]) / "samples.npz", allow_pickle=False) as file:
        shapes = {name: list(file[name].shape[1:]) for name in file.files}
    return writing.write(Path(request.inputs["ir"]) / "model.onnx", shapes, Path(request.out))


@operation
def run(request: Request) -> dict[str, Any]:
    """ir, again, samples -> outputs.npz. params: inputs, outputs: port's name -> its name in the model read back."""
    params, inputs = request.params, request.inputs
    out = Path(request.out) / "outputs.npz"
    folders = (Path(inputs["ir"]), Path(inputs["again"]), Path(inputs["samples"]))
    return {"count": run_renamed(*folders, out, params["inputs"], params["outputs"])}


@operation
def pack(request: Request) -> dict[str, Any]:
    """nnef -> one tar archive. params: name."""
    folder, name = Path(request.inputs["nnef"]), request.params["name"]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
        # graph.nnef first: what kind of archive it is can then be told from its beginning.
        for path in sorted(folder.iterdir(), key=lambda each: (each.suffix != ".nnef", each.name)):
            member = tarfile.TarInfo(path.name)
            member.size = path.stat().st_size
            with path.open("rb") as file:
                archive.addfile(member, file)
    data = packed.getvalue()
    if not name.endswith(".tar"):
        data = gzip.compress(data, 6, mtime=0)
    (Path(request.out) / name).write_bytes(data)
    return {"size": len(data)}

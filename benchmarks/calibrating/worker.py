"""The measurements of `benchmarks/calibration.py`. Runs in the core toolchain."""

import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
from dlpipe_worker import Request, operation
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod
from onnxruntime.quantization.calibrate import create_calibrator

from ..ir.graph import executing, feeding
from ..passes.graph import files, inference
from ..passes.quantisation.static.calibrating import calibrate
from ..passes.quantisation.static.observing import batch_size
from ..passes.quantisation.static.plan import plan

_FREE = 1  # what a symbolic dim is
_OPERATORS = ["Add", "AveragePool", "Concat", "Conv", "Gemm", "GlobalAveragePool", "MatMul", "MaxPool", "Mul", "Relu"]


@operation
def make(request: Request) -> object:
    """ir -> `samples.npz` with params["count"] samples, of which never more than one is in memory."""
    random = np.random.default_rng(0)
    with zipfile.ZipFile(Path(request.out) / "samples.npz", "w") as archive:
        for port in files.load(Path(request.inputs["ir"])).graph.inputs:
            shape = [dim if isinstance(dim, int) else _FREE for dim in port.shape]
            with archive.open(f"{port.name}.npy", "w", force_zip64=True) as file:
                header = {"descr": "<f4", "fortran_order": False, "shape": (request.params["count"], *shape)}
                np.lib.format.write_array_header_1_0(file, header)
                for _ in range(request.params["count"]):
                    file.write(random.standard_normal(shape).astype(np.float32).tobytes())
    return None


@operation
def peak(request: Request) -> object:
    """ir, samples -> the peak memory of this process in bytes, when it has calibrated in that way."""
    ways = {"idle": _idle, "ours": _ours, "stock MinMax": _stock, "stock Entropy": _stock}
    way = request.params["way"]
    ways[way](Path(request.inputs["ir"]), Path(request.inputs["samples"]) / "samples.npz", way.split()[-1])
    return executing.peak_rss()


@operation
def time_all(request: Request) -> object:
    """ir, samples -> {way: seconds of the processor in each round}. Each opens a session of its own; "ours" begins with
    the model and the plan that its pass has at hand."""
    folder, samples = Path(request.inputs["ir"]), Path(request.inputs["samples"]) / "samples.npz"
    model = _model(folder)
    free = any(not isinstance(port.shape[0], int) for port in model.graph.inputs)
    chosen = plan(model)
    size = batch_size(list(chosen.rounded)) if free else 1
    ways: dict[str, Callable[[Path, Path, str], object]] = {
        "bare, one by one": lambda *_: _bare(folder, samples, 1),
        "bare, in batches": lambda *_: _bare(folder, samples, size),
        "ours": lambda *_: calibrate(model, chosen, samples, lambda *_: None, "auto"),
        "ours, ends only": lambda *_: calibrate(model, chosen, samples, lambda *_: None, "minmax"),
        "stock MinMax": _stock,
        "stock Entropy": _stock,
    }
    found: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(request.params["rounds"]):
        for way, run in ways.items():
            started = time.process_time()
            run(folder, samples, way.split()[-1])
            found[way].append(time.process_time() - started)
            request.progress(way)
    return found


def _idle(folder: Path, samples: Path, _: str) -> None:
    """The tools, the model, a session, and one sample."""
    del samples
    _model(folder)
    executing.open_session(folder / files.MODEL)


def _ours(folder: Path, samples: Path, _: str) -> None:
    model = _model(folder)
    calibrate(model, plan(model), samples, lambda *_: None, "auto")


def _bare(folder: Path, samples: Path, size: int) -> None:
    session = executing.open_session(folder / files.MODEL)
    names = [port.name for port in session.get_outputs()]
    rows = iter(feeding.Samples(samples, [port.name for port in session.get_inputs()]))
    while batch := list(islice(rows, size)):
        session.run(names, {name: np.concatenate([each[name] for each in batch]) for name in batch[0]})


def _stock(folder: Path, samples: Path, method: str) -> None:
    """As quantize_static does: every tensor of an operator that it can quantise."""
    kinds = {"MinMax": CalibrationMethod.MinMax, "Entropy": CalibrationMethod.Entropy}
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "augmented.onnx"
        own = shutil.copy(folder / files.MODEL, scratch)  # it writes beside the model
        calibrator = create_calibrator(
            str(own), _OPERATORS, str(path), calibrate_method=kinds[method], extra_options={}
        )
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        calibrator.infer_session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [port.name for port in calibrator.infer_session.get_inputs()]
        calibrator.collect_data(_Reader(samples, names))
        calibrator.compute_data()


class _Reader(CalibrationDataReader):
    def __init__(self, samples: Path, names: list[str]) -> None:
        self._rows = iter(feeding.Samples(samples, names))

    def get_next(self) -> dict[str, Any] | None:
        return next(self._rows, None)


def _model(folder: Path) -> ir.Model:
    model = files.load(folder)
    inference.infer(model)
    return model

"""Run a model with ONNX Runtime on the CPU, and time it."""

import re
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir
import onnxruntime as ort
from dlpipe_worker import Refused

from ..arrays import npz
from . import checking, emulating, files, unsharing

_STATE = ort.capi.onnxruntime_pybind11_state
_PRECISE = "session.x64quantprecision"  # MatMulInteger on x86 without VNNI does not saturate then
TOOL = f"onnxruntime {ort.__version__}"
LEVELS = {
    "none": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}


def open_session(
    model: Path | bytes,
    *,
    threads: int = 1,
    optimisation: str = "all",
    integer_kernels: bool = False,
    profile: str | None = None,
) -> Any:
    """Of a file, or of a model in memory. Raises Refused for a model that ONNX Runtime does not take.

    profile: the beginning of the name of the file that `end_profiling` writes.

    integer_kernels: let it compute what lies between QuantizeLinear and DequantizeLinear in integers: for timing. An
    answer is computed as it is written, since these kernels depend on the processor: on x86 without VNNI sums of two
    products saturate at 16 bits, and a model of eight-bit weights gives something else there.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = LEVELS[optimisation]
    options.log_severity_level = 3
    if profile is not None:
        options.enable_profiling, options.profile_file_prefix = True, profile
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # it would disturb what runs beside it
    if not integer_kernels:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        options.add_session_config_entry(_PRECISE, "1")
    source = model if isinstance(model, bytes) else str(model)
    with refusing("does not take the model"):
        try:
            return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except _STATE.Fail as error:
            if "replace the existing tensor" not in str(error):
                raise
            return ort.InferenceSession(unsharing.unshared(model), options, providers=["CPUExecutionProvider"])


def run(
    folder: Path, samples: Path, outputs: Path, *, threads: int, optimisation: str, progress: Callable[[float], None]
) -> tuple[int, str]:
    """Feed sample after sample, write an array [N, *output_shape] per output. Returns N, and with what it was run."""
    path, tool = folder / files.MODEL, TOOL
    checking.check(path)
    with tempfile.TemporaryDirectory() as scratch:
        if emulating.uses(onnx_ir.load(str(path)), onnx_ir.DataType.BFLOAT16):
            path, tool = emulating.write_emulated(path, Path(scratch)), f"{TOOL}, bfloat16 emulated"
        session = open_session(path, threads=threads, optimisation=optimisation)
    feeds = feeds_of(session, samples)
    names = [port.name for port in session.get_outputs()]
    results: list[list[Any]] = []
    count = min((len(array) for array in feeds.values()), default=1)
    for index in range(count):
        with refusing("failed to run the model"):
            results.append(session.run(names, one(feeds, index)))
        progress((index + 1) / count)
    arrays = {name: [np.asarray(result[i]) for result in results] for i, name in enumerate(names)}
    for name, each in arrays.items():
        if len({array.shape for array in each}) > 1:
            raise Refused(f"output {name!r} has another shape for every sample", kind="unsupported")
    npz.write(outputs, ((name, np.stack(each)) for name, each in arrays.items()))
    return count, tool


def feeds_of(session: Any, samples: Path) -> dict[str, Any]:
    """Input name -> [N, *input_shape]."""
    arrays = npz.read(samples)
    missing = [port.name for port in session.get_inputs() if port.name not in arrays]
    if missing:
        raise Refused(f"the samples hold {sorted(arrays)}, and the model wants {missing} too")
    return {port.name: arrays[port.name] for port in session.get_inputs()}


def one(feeds: dict[str, Any], index: int) -> dict[str, Any]:
    """Sample `index` as it is fed; a scalar stays an array."""
    return {name: np.asarray(array[index]) for name, array in feeds.items()}


def timed(session: Any, feed: dict[str, Any], runs: int) -> list[float]:
    """Seconds of each run."""
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        session.run(None, feed)
        seconds.append(time.perf_counter() - started)
    return seconds


def peak_rss() -> int:
    """Bytes, of this whole process since it started."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Raises Refused for what ONNX Runtime finds wrong with a model: it has no common base class for that."""
    kinds = (_STATE.NotImplemented, _STATE.InvalidGraph, _STATE.InvalidProtobuf, _STATE.InvalidArgument, _STATE.Fail)
    try:
        yield
    except (*kinds, _STATE.RuntimeException, RuntimeError) as error:
        raise Refused(f"ONNX Runtime {what}: {_said(error)}", kind="unsupported") from error


def _said(error: Exception) -> str:
    """Its first line, without the places in ONNX Runtime's own source."""
    line = str(error).strip().split("\n")[0]
    line = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", line)
    line = re.sub(r"Load model from \S+ failed: *", "", line)
    return re.sub(r"\S*onnxruntime_src/\S+:\d+ [^(]*\([^)]*\)[^)\s]* ", "", line)[:500]

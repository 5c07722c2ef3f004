"""ONNX -> a serialised engine, with refusals that name the node."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused

from . import biases

_SEVERE = ("INTERNAL_ERROR", "ERROR")


def logger(trt: Any) -> Any:
    """What TensorRT says goes to the log of the stage; its errors are kept in `errors`."""

    class Log(trt.ILogger):  # type: ignore[misc]  # tensorrt is Any to the host
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity <= trt.ILogger.Severity.WARNING:
                sys.stdout.write(f"{severity.name}: {message}\n")
            if severity.name in _SEVERE:
                self.errors.append(message)

    return Log()


@dataclass
class Effort:
    """How hard to search: `level` from 0 to 5 (None: TensorRT's own choice), and the times of kernels that are known,
    as TensorRT writes them. What it has timed since is added to `cache`."""

    level: int | None
    cache: bytes


def engine(trt: Any, ir: Path, capability: str | None, effort: Effort | None = None) -> bytes:
    """The model of an IR folder, built. `capability` ("8.6"): of a GPU that is not here; None for the one that is.

    Numbers are those that the model names: a float32 product is not rounded to TF32. A free batch is one.
    """
    log = logger(trt)
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    rewritten = biases.in_float(ir / "model.onnx")
    if not (parser.parse(rewritten) if rewritten else parser.parse_from_file(str(ir / "model.onnx"))):
        raise _refused(parser, log)
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)
    if capability is not None:
        config.num_compute_capabilities = 1
        number = getattr(trt.ComputeCapability, "SM" + capability.replace(".", ""))
        if not config.set_compute_capability(number, 0):
            raise RuntimeError(f"TensorRT does not build for compute capability {capability}")
    config.add_optimization_profile(_profile(builder, network))
    if effort is not None:
        if effort.level is not None:
            config.builder_optimization_level = effort.level
        config.set_timing_cache(config.create_timing_cache(effort.cache), ignore_mismatch=False)
    built = builder.build_serialized_network(network, config)
    if built is None:
        raise Refused(f"TensorRT builds no engine: {_last(log)}", kind="unsupported")
    if effort is not None:
        effort.cache = bytes(config.get_timing_cache().serialize())
    return bytes(built)


def _profile(builder: Any, network: Any) -> Any:
    """The sizes that the engine takes."""
    profile = builder.create_optimization_profile()
    for number in range(network.num_inputs):
        value = network.get_input(number)
        shape = tuple(value.shape)
        free = [axis for axis, size in enumerate(shape) if size < 0]
        if any(axis > 0 for axis in free):
            raise Refused(
                f"an engine is built for fixed shapes, and {value.name} has a free dim beside the batch",
                kind="unsupported",
                hint="--shape <dim>=<size>",
            )
        if free:
            fixed = (1, *shape[1:])
            profile.set_shape(value.name, fixed, fixed, fixed)
    return profile


def _refused(parser: Any, log: Any) -> Refused:
    for number in range(parser.num_errors):
        error = parser.get_error(number)
        said = [line.strip() for line in error.desc().splitlines() if line.strip() and "cudaError" not in line]
        if said:  # without a GPU, every error has one of CUDA's before it
            return Refused(
                f"TensorRT's ONNX parser: {said[-1][:300]}",
                kind="unsupported",
                node=error.node_name() or None,
                op=error.node_operator() or None,
            )
    return Refused(f"TensorRT's ONNX parser does not take the model: {_last(log)}", kind="unsupported")


def _last(log: Any) -> str:
    return log.errors[-1].splitlines()[-1][:300] if log.errors else "it does not say why"

"""A test fixture: a report with the shape of a real run's, all of its figures invented."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dlpipe.contracts.figure import Figure
from dlpipe.contracts.measurement import Accuracy, Fidelity, OutputFidelity, Speedup
from dlpipe.ir.contract import Port
from dlpipe.report import (
    Artifact,
    Environment,
    Gate,
    Kernel,
    Layer,
    ModelView,
    Note,
    Reference,
    Report,
    Samples,
    Selected,
    Source,
    Stage,
    Weight,
)
from dlpipe.report.scorecard import scorecard

WHEN = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
EMULATED = "emulated: no speed is claimed from an emulator"


def fidelity(max_rel: float, *, tolerance: float | None = 1e-4, cosine: float = 0.9999999) -> Fidelity:
    passed = max_rel <= tolerance if tolerance is not None else cosine >= 0.98
    reason = None if passed else f"Softmax: max_rel {max_rel:g} breaks its limit {tolerance}"
    figures: dict[str, Any] = {"max_abs": max_rel * 0.98, "max_rel": max_rel, "cosine": cosine, "sqnr_db": 92.4}
    return Fidelity(
        vs="original",
        **figures,
        argmax_agreement=0.995,
        samples=200,
        tolerance=tolerance,
        min_cosine=None if tolerance else 0.98,
        tolerance_reason="fp32 keeps 24 bits, so another order of summation moves an output by far less than this",
        passed=passed,
        reason=reason,
        outputs={"Softmax": OutputFidelity(**figures, scale=0.98, passed=passed, reason=reason)},
    )


def accuracy(value: float, drop: float, ci: tuple[float, float], p: float) -> Accuracy:
    return Accuracy(
        metric="top-1", value=value, ci95=(value - 0.03, value + 0.03), n=400, drop=drop, drop_ci95=ci, p_value=p
    )


def cost(p50: float | None, size: int) -> dict[str, Figure]:
    figures = {"size": Figure(value=size, unit="bytes", provenance="measured")}
    if p50 is None:
        return figures | {"latency_p50": Figure.absent(EMULATED, "ms")}
    return figures | {
        "latency_p50": Figure(value=p50, unit="ms", provenance="measured"),
        "latency_p95": Figure(value=p50 * 1.3, unit="ms", provenance="measured"),
        "latency_p99": Figure.absent("60 runs do not show a 99th percentile (100 would)", "ms"),
        "throughput": Figure(value=1000 / p50, unit="1/s", provenance="measured"),
        "peak_memory": Figure(value=64 << 20, unit="bytes", provenance="measured"),
        "parameters": Figure(value=23756, unit="count", provenance="measured"),
        "macs": Figure(value=2_656_768, unit="MAC", provenance="estimated", reason="counted from the graph's shapes"),
    }


def speedup(value: float, low: float, high: float, *, noisy: bool = False) -> Speedup:
    reason = f"too noisy to say: with 95 % confidence it lies somewhere between {low} and {high}" if noisy else None
    return Speedup(
        baseline="original",
        value=value,
        ci95=(low, high),
        provenance="measured",
        measured_on="Some CPU (x86_64, 2 CPUs)",
        date=WHEN,
        noisy=noisy,
        reason=reason,
    )


def stage(id_: str, kind: str, after: tuple[str, ...], **more: Any) -> Stage:
    values: dict[str, Any] = {
        "tool": "onnxruntime",
        "tool_version": "1.31.1",
        "toolchain": "ab" * 32,
        "status": "ok",
        "cache": "miss",
        "seconds": 1.25,
        "output": "cd" * 32,
    }
    return Stage(id=id_, kind=kind, after=after, **{**values, **more})


def stages() -> tuple[Stage, ...]:
    near, exact = accuracy(0.9425, 0.0, (-0.4, 0.4), 1.0), fidelity(3.1e-7)
    int8 = accuracy(0.9375, 0.5, (-0.62, 1.61), 0.625)
    return (
        stage("reference", "reference", (), tool="tensorflow", tool_version="2.21.0", cost=cost(1.92, 97_000)),
        stage(
            "import", "import", (), tool="tf2onnx", tool_version="1.16.1", seconds=8.4, fidelity=exact, accuracy=near,
            cost=cost(0.61, 99_412), speedups=(speedup(3.1, 2.9, 3.4),),
            changes={"nodes": 41, "cut": "DecodeWav, AudioSpectrogram, Mfcc"},
        ),
        stage(
            "simplify", "pass", ("import",), tool="onnxsim", fidelity=exact, accuracy=near, cache="hit",
            cost=cost(0.58, 98_020), speedups=(speedup(3.3, 3.0, 3.6),), changes={"nodes": -12},
        ),
        stage(
            "fuse", "pass", ("simplify",), fidelity=fidelity(8.4e-7), accuracy=near, cost=cost(0.47, 95_310),
            speedups=(speedup(4.1, 3.8, 4.4),), changes={"BatchNormalization": -9, "Relu": 0},
        ),
        stage(
            "fp16", "pass", ("fuse",), fidelity=fidelity(6.2e-4, tolerance=1e-2), accuracy=near,
            cost=cost(0.92, 48_100), speedups=(speedup(2.1, 1.2, 3.3, noisy=True),),
        ),
        stage(
            "int8", "pass", ("fuse", "calibrate"), fidelity=fidelity(0.11, tolerance=None, cosine=0.9962),
            accuracy=int8, cost=cost(0.29, 30_204), speedups=(speedup(6.6, 5.9, 7.3),), stage_class="sampled",
            notes=(Note(level="warning", message="2 operators stay in fp32: MatMul_3, Softmax"),),
        ),
        stage("calibrate", "data", (), tool="numpy", seconds=0.02),
        stage("compile:arm64/ncnn-fp16", "compile", ("fp16",), tool="ncnn", target="arm64", backend="ncnn",
              variant="fp16"),
        stage("compile:arm64/tvm-fp32", "compile", ("fuse",), tool="tvm", seconds=41.0, target="arm64", backend="tvm",
              variant="fp32"),
        stage("compile:arm64/onnxruntime-int8", "compile", ("int8",), target="arm64", backend="onnxruntime",
              variant="int8"),
        stage("compile:arm64/tvm-int8", "compile", ("int8",), tool="tvm", status="failed", cache=None, output=None,
              reason="QLinearConv with a per-channel zero point is not supported (node Conv_4)", target="arm64",
              backend="tvm", variant="int8"),
    )  # fmt: skip


def artifact(backend: str, variant: str, **more: Any) -> Artifact:
    values: dict[str, Any] = {
        "target": "arm64",
        "path": f"artifacts/arm64/{backend}-{variant}",
        "digest": "ef" * 32,
        "size_bytes": 95_310,
        "ran_on": "qemu-aarch64",
        "verdict": "passed",
        "provenance": "emulated",
        "files": {"model.bin": 90_000, "model.param": 5_310, "run.json": 800},
        "cost": cost(None, 95_310),
        "after": (f"compile:arm64/{backend}-{variant}",),
    }
    return Artifact(backend=backend, variant=variant, **{**values, **more})


def artifacts() -> tuple[Artifact, ...]:
    near = accuracy(0.9375, 0.5, (-0.62, 1.61), 0.625)
    refused = "ruled out by pre-flight: GatherND is not covered on armv7"
    return (
        artifact("onnxruntime", "int8", fidelity=fidelity(0.11, tolerance=None, cosine=0.9962), accuracy=near,
                 size_bytes=30_204, files={"model.ort": 30_204}),
        artifact("tvm", "fp32", fidelity=fidelity(9.1e-7), accuracy_reason="no labelled data for the emulator",
                 files={"model.so": 94_000, "runtime.tar": 900_000}),
        artifact("ncnn", "fp16", fidelity=fidelity(0.034, tolerance=1e-2, cosine=0.991), verdict="failed",
                 reason="ran, but wrong: Softmax: max_rel 0.034 breaks its limit 0.01"),
        artifact("tvm", "int8", verdict="failed", ran_on="none", provenance="absent", size_bytes=None, digest=None,
                 files={}, cost={}, fidelity_reason="there is no artefact",
                 reason="QLinearConv with a per-channel zero point is not supported (node Conv_4)"),
        artifact("mnn", "fp32", verdict="unverified", ran_on="none", provenance="absent", size_bytes=None, digest=None,
                 files={}, cost={}, fidelity_reason="there is no artefact", reason=refused),
    )  # fmt: skip


def views() -> tuple[ModelView, ...]:
    """As imported, and as quantised: the second layer was fused into another, and has no counterpart."""
    weight = Weight(
        name="conv/kernel", dtype="float32", shape=(2, 8), low=-1.0, high=2.0, mean=0.4, std=0.6, counts=(2, 10, 4)
    )
    nodes = (
        Layer(name="net/conv:0", op="Conv"),
        Layer(name="net/conv:0", op="BatchNormalization", after=(0,)),
        Layer(name="softmax", op="Softmax", after=(1,)),
    )
    kernels = (
        Kernel(name="net/conv:0", op="Conv", milliseconds=0.2),
        Kernel(name="softmax", op="Softmax", milliseconds=0.01),
    )
    before = ModelView(
        stage="import", nodes=nodes, node_count=3, kernels=kernels, weights=(weight,), weight_count=9
    )  # fmt: skip
    errors = (0.01, None, 0.2)
    after = before.model_copy(
        update={
            "stage": "int8",
            "nodes": tuple(node.model_copy(update={"error": e}) for node, e in zip(nodes, errors, strict=True)),
            "weights": (weight.model_copy(update={"dtype": "int8", "counts": (3, 8, 5)}),),
        }
    )
    return (before, after)


def sample_report(**changes: Any) -> Report:
    path = "artifacts/arm64/onnxruntime-int8"
    chosen = Selected(
        path=path, basis="unmeasured-speed", backend="onnxruntime", variant="int8",
        reason="no timings from the target: the smallest artefact that passed",
    )  # fmt: skip
    gates = (
        Gate(name="max-accuracy-drop", subject="int8", limit=1.0, value=0.5, unit="points", passed=True, n=400,
             samples_needed=769, reason="a limit of 1 point needs about 769 samples, here are 400"),
        Gate(name="max-size", subject=path, limit=50_000, value=30_204, unit="bytes", passed=True),
        Gate(name="max-latency", subject=path, limit=10, unit="ms", passed=None, reason=EMULATED),
        Gate(name="fidelity", subject="artifacts/arm64/ncnn-fp16", limit=0.01, value=0.034, passed=False,
             reason="max_rel 0.034 breaks its limit 0.01"),
    )  # fmt: skip
    report = Report(
        dlpipe_version="0.1.0",
        run="20261120-120000-1f2e",
        created=WHEN,
        command="dlpipe convert DS_CNN_S.pb --target arm64 --data clips/ --max-accuracy-drop 1%",
        source=Source(
            path="DS_CNN_S.pb", sha256="0123456789abcdef" * 4, framework="tensorflow", format="tensorflow/graphdef",
            size_bytes=97_000, inputs=(Port(name="Reshape:0", dtype="float32", shape=("N", 49, 10, 1)),),
            outputs=(Port(name="labels_softmax:0", dtype="float32", shape=("N", 12)),),
            reference=Reference(kind="original", tool="tensorflow 2.21.0"),
            preprocessing=("DecodeWav, AudioSpectrogram and Mfcc were cut off and kept as preprocessing",),
        ),
        samples=Samples(count=400, source="clips/", seed=0, labelled=400),
        stages=stages(),
        artifacts=artifacts(),
        gates=gates,
        selected={"arm64": chosen},
        notes=(Note(message="cut before Reshape:0"), Note(level="warning", message="2 clips could not be read")),
        environment=Environment(
            machine={"cpu": "Some CPU", "architecture": "x86_64", "flags": ("avx2", "fma"), "cpuset": "0,1",
                     "virtualised": True, "governor": None},
            python="3.11.2", toolchains={"core": "ab" * 32, "tvm": "cd" * 32},
        ),
        seconds=83.4,
    )  # fmt: skip
    report = report.model_copy(update=changes)
    return report.model_copy(update={"scorecard": scorecard(report)})

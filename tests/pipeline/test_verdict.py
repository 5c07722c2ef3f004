"""Which error a run's exit code speaks of, where a target is left without an artefact that was verified."""

from __future__ import annotations

import pytest

from dlpipe.contracts.figure import Figure
from dlpipe.errors import DlpipeError, GateFailed, StageFailed, ToolMissing, Unsupported
from dlpipe.measure.machine import fingerprint
from dlpipe.pipeline.gates import evaluate
from dlpipe.pipeline.limits import UserLimits
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.verdict import judge_run
from dlpipe.report.schema import Artifact, Environment, Reference, Refusal, Report, Selected, Source

CRASH = StageFailed("the tool was ended by signal 11", hint="see the log", stage="compile:arm64/tvm-fp32")


def made(
    backend: str, verdict: str, *, exists: bool = True, variant: str = "fp32", reason: str = "why", size: int = 100
) -> Artifact:
    return Artifact.model_validate(
        {
            "target": "arm64",
            "backend": backend,
            "variant": variant,
            "path": f"artifacts/arm64/{backend}-{variant}",
            "digest": "ab" * 32 if exists else None,
            "size_bytes": size if exists else None,
            "ran_on": "none",
            "verdict": verdict,
            "provenance": "absent",
            "reason": reason,
            "refusals": () if exists or verdict == "failed" else (Refusal(reason=reason),),
            "fidelity_reason": "not of interest here",
            "cost": {"size": Figure(value=size, unit="bytes", provenance="measured")} if exists else {},
        }
    )


def judged(
    *artifacts: Artifact,
    crashed: dict[str, DlpipeError] | None = None,
    limits: UserLimits | None = None,
    chosen: Artifact | None = None,
    **asked: object,
) -> DlpipeError | None:
    limits = limits or UserLimits()
    report = Report.model_validate(
        {
            "dlpipe_version": "0",
            "run": "r",
            "created": "2026-11-20T12:00:00Z",
            "source": Source(path="m", sha256="0" * 64, framework="onnx", format="onnx/model", size_bytes=1,
                             inputs=(), outputs=(), reference=Reference(kind="original")),
            "stages": (),
            "artifacts": artifacts,
            "selected": {"arm64": Selected(path=chosen.path, basis="unmeasured-speed")} if chosen else {},
            "gates": tuple(evaluate(limits, artifacts, {}, confidence=None)),
            "environment": Environment(machine={**fingerprint()}, python="3.13", toolchains={}),
        }
    )  # fmt: skip
    request = ConvertRequest("m", ("arm64",), limits=limits, **asked)
    errors = {f"artifacts/arm64/{name}": error for name, error in (crashed or {}).items()}
    return judge_run(request, report, errors)


def test_a_crash_that_leaves_nothing_is_the_tools_failure() -> None:
    said = judged(made("tvm", "failed", exists=False), crashed={"tvm-fp32": CRASH})
    assert isinstance(said, StageFailed)
    assert said.message == "a tool failed, and no artefact for arm64 is left: tvm fp32: the tool was ended by signal 11"
    assert said.where == CRASH.where
    ruled_out = made("ncnn", "unverified", exists=False)
    assert isinstance(judged(ruled_out, made("tvm", "failed"), crashed={"tvm-fp32": CRASH}), StageFailed)


def test_tools_that_are_not_there_are_for_the_user_to_settle() -> None:
    gone = ToolMissing("the tvm toolchain is not installed", hint="dlpipe toolchain install tvm")
    said = judged(made("tvm", "failed", exists=False), crashed={"tvm-fp32": gone})
    assert isinstance(said, ToolMissing)
    assert said.message == "no artefact for arm64 is left: the tvm toolchain is not installed"
    assert said.hint == gone.hint
    refused = (made("tvm", "failed", exists=False), made("ncnn", "unverified", exists=False))
    assert isinstance(judged(*refused, crashed={"tvm-fp32": gone}), GateFailed)


def test_what_was_built_stands_though_another_backend_crashed() -> None:
    tried = (made("tvm", "failed", exists=False), made("atc", "unverified"))
    assert judged(*tried, crashed={"tvm-fp32": CRASH}, precision="fp32") is None
    strict = judged(*tried, crashed={"tvm-fp32": CRASH}, require_verified=True)
    assert isinstance(strict, GateFailed)
    assert strict.message == "arm64: not verified: why"


def test_what_was_ruled_out_is_named() -> None:
    tried = [made("ncnn", "unverified", exists=False, variant=each, reason="If (at If_0)") for each in ("fp32", "fp16")]
    said = judged(*tried)
    assert isinstance(said, GateFailed)
    assert said.message == "no artefact for arm64 is left: ncnn (fp32, fp16): If (at If_0)"
    refused = judged(made("tvm", "failed", exists=False), crashed={"tvm-fp32": Unsupported("no Loop")})
    assert isinstance(refused, GateFailed)


@pytest.mark.parametrize(("precision", "failed"), [("auto", False), ("fp32", True)])
def test_a_wrong_artefact_beside_one_that_cannot_run(precision: str, failed: bool) -> None:
    said = judged(made("tvm", "failed", reason="ran, but wrong"), made("atc", "unverified"), precision=precision)
    assert (said is not None) == failed
    assert judged(made("tvm", "failed", reason="ran, but wrong"), precision=precision) is not None


def test_a_limit_that_is_broken_goes_before_a_crash() -> None:
    limits = UserLimits.parse(max_size="10B")
    said = judged(made("tvm", "failed"), made("atc", "unverified"), crashed={"tvm-fp32": CRASH}, limits=limits)
    assert isinstance(said, GateFailed)
    assert "max-size of artifacts/arm64/atc-fp32" in said.message


@pytest.mark.parametrize("backends", [(), ("all",), ("ncnn",)])
def test_a_limit_filters_backends_that_nobody_named(backends: tuple[str, ...]) -> None:
    small, limits = made("ncnn", "passed"), UserLimits.parse(max_size="150B")
    assert judged(small, made("tvm", "passed", size=200), limits=limits, chosen=small, backends=backends) is None


def test_a_backend_asked_for_by_name_breaks_a_limit() -> None:
    small, limits = made("ncnn", "passed"), UserLimits.parse(max_size="150B")
    large = made("tvm", "passed", size=200)
    said = judged(small, large, limits=limits, chosen=small, backends=("ncnn", "tvm"))
    assert isinstance(said, GateFailed)
    assert said.message.startswith(
        "arm64: tvm, which was asked for by name, breaks a limit: max-size of artifacts/arm64/"
    )
    fits = made("tvm", "passed", variant="int8")
    assert judged(small, large, fits, limits=limits, chosen=small, backends=("ncnn", "tvm")) is None

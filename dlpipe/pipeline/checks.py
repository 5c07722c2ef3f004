"""What follows every stage that makes a model: run it, compare with the original, judge it on labelled data."""

from __future__ import annotations

from dlpipe.ir.calls import describe_call, run_call
from dlpipe.measure import fidelity_call
from dlpipe.pipeline.by_metric import accuracy_stage
from dlpipe.pipeline.samples import Samples, SampleSet
from dlpipe.pipeline.stage import Stage


def check_ir(stage: str, tolerance: str, samples: Samples, *, at: str = "") -> list[Stage]:
    """Stages `run:X`, `fidelity:X`, `accuracy:X` and `describe:X` for a stage X that makes an IR model. `at` tells the
    checks on several sets of samples apart: `run:X@final`."""
    inputs = {"ir": stage, "samples": samples.full.samples}
    run = Stage(f"run:{stage}{at}", "measure", run_call(), inputs, required=False)
    describe = Stage(f"describe:{stage}", "measure", describe_call(), {"ir": stage}, required=False)
    return [run, describe, *judge(f"{stage}{at}", tolerance, samples.full, samples)]


def check_ids(stage: str) -> tuple[str, ...]:
    """The ids of what `check_ir` makes."""
    return tuple(f"{check}:{stage}" for check in ("run", "describe", "fidelity", "accuracy"))


def judge(stage: str, tolerance: str, against: SampleSet, samples: Samples) -> list[Stage]:
    """Compare what `run:X` gave with the reference, on one set of the samples. tolerance: the class of it
    (`measure/tolerances.py`)."""
    outputs = {"reference": against.reference, "candidate": f"run:{stage}"}
    stages = [
        Stage(f"fidelity:{stage}", "measure", fidelity_call(tolerance, against.resolution), outputs, required=False)
    ]
    if samples.labelled:
        inputs = {**outputs, "labels": against.samples}
        stages.append(accuracy_stage(f"accuracy:{stage}", samples.metric, inputs, required=False))
    return stages

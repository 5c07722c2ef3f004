"""What follows every stage that makes a model: run it, compare with the original, judge it on labelled data."""

from __future__ import annotations

from dlpipe.ir.calls import describe_call, run_call
from dlpipe.measure import accuracy_call, fidelity_call
from dlpipe.pipeline.samples import Samples, SampleSet
from dlpipe.pipeline.stage import Stage


def check_ir(stage: str, variant: str, samples: Samples) -> list[Stage]:
    """Stages `run:X`, `fidelity:X`, `accuracy:X` and `describe:X` for a stage X that makes an IR model."""
    run = Stage(f"run:{stage}", "measure", run_call(), {"ir": stage, "samples": samples.full.samples}, required=False)
    describe = Stage(f"describe:{stage}", "measure", describe_call(), {"ir": stage}, required=False)
    return [run, describe, *judge(stage, variant, samples.full, labelled=samples.labelled)]


def judge(stage: str, variant: str, against: SampleSet, *, labelled: bool) -> list[Stage]:
    """Compare what `run:X` gave with the reference."""
    outputs = {"reference": against.reference, "candidate": f"run:{stage}"}
    stages = [
        Stage(f"fidelity:{stage}", "measure", fidelity_call(variant, against.resolution), outputs, required=False)
    ]
    if labelled:
        inputs = {**outputs, "labels": against.samples}
        stages.append(Stage(f"accuracy:{stage}", "measure", accuracy_call(), inputs, required=False))
    return stages

"""A recipe as stages: what each step reads, what follows it, what is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dlpipe.errors import UserError
from dlpipe.passes.recipes import Recipe, recipe
from dlpipe.pipeline.samples import Samples, SampleSet
from dlpipe.pipeline.variants import NO_DATA, make_variant
from dlpipe.targets.registry import target

ALL = SampleSet("samples", "reference")
SAMPLES = Samples(
    full=ALL,
    emulated=ALL,
    calibration="samples:calibration",
    timing="samples:timing",
    count=1,
    source="d",
    labelled=True,
    names=(),
)


def test_a_recipe_of_no_steps_is_the_ir_itself() -> None:
    made = make_variant(recipe("fp32"), SAMPLES, ir="clean")
    assert (made.ir, made.links, made.stages) == ("clean", (), ())


def test_each_step_is_a_stage_followed_by_its_checks() -> None:
    trained = replace(SAMPLES, train="samples:train")
    made = make_variant(recipe("fast"), trained, ir="clean", target=target("arm64"))
    passes = [link.call.params["pass"] for link in made.links]
    assert passes == [step.name for step in recipe("fast").steps]
    assert [link.inputs["ir"] for link in made.links] == ["clean", *(link.id for link in made.links[:-1])]
    assert made.ir == made.links[-1].id == "fast-s8s8"
    tuned = made.links[passes.index("fine-tune")]
    assert (tuned.inputs["train"], tuned.inputs["teacher"]) == ("samples:train", "clean")
    quantised = made.links[passes.index("quantize-int8")]
    assert quantised.inputs["samples"] == "samples:calibration"
    assert quantised.call.params["activations"] == "int8"
    ids = {stage.id for stage in made.stages}
    for link in made.links:
        assert {f"{check}:{link.id}" for check in ("run", "describe", "fidelity", "accuracy")} <= ids


def test_two_targets_may_want_different_integers_of_one_recipe() -> None:
    names = {make_variant(recipe("int8"), SAMPLES, ir="clean", target=target(name)).ir for name in ("x86-64", "arm64")}
    assert len(names) == 2


def test_a_backend_may_want_other_integers_than_the_others_on_its_target() -> None:
    own = {"quantisation": {"weights": "int7"}, "mine": {"quantisation": {"zero_points": False}}}
    here = replace(target("x86-64"), options=own)
    assert here.quantised_for("other") is here
    assert make_variant(recipe("int8"), SAMPLES, ir="clean", target=here).ir == "int8-u8s7"
    (link,) = make_variant(recipe("int8"), SAMPLES, ir="clean", target=here.quantised_for("mine")).links
    assert (link.id, link.call.params["weights"]) == ("int8-u8s7-without-zero-points", "int7")
    assert link.call.params["zero_points"] is False


def test_without_data_to_train_on_an_optional_step_is_left_out_and_another_refused() -> None:
    made = make_variant(recipe("balanced"), SAMPLES, ir="clean")
    assert made.left_out == {"adaround": NO_DATA}
    assert "adaround" not in [step.name for step in made.steps]
    with pytest.raises(UserError, match="trains"):
        make_variant(recipe("fast"), SAMPLES, ir="clean")


def test_exact_steps_are_held_to_the_tolerance_of_fp32() -> None:
    own = Recipe.model_validate(
        {
            "name": "own",
            "summary": "",
            "precision": "fp16",
            "steps": [{"pass": "fold-constants"}, {"pass": "fp16"}],
        }
    )
    made = make_variant(own, SAMPLES, ir="clean")
    limits = {stage.id: stage.call.params["max_rel"] for stage in made.stages if stage.id.startswith("fidelity:")}
    assert limits == {"fidelity:own:1-fold-constants": 1e-4, "fidelity:own": 5e-2}

"""Recipes: what comes with dlpipe is whole, and what a user writes is checked to the field."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlpipe.errors import UserError
from dlpipe.measure.tolerances import tolerance_of
from dlpipe.passes.recipes import Step, params_for, read_recipe, recipe, recipes
from dlpipe.passes.registry import pass_call, pass_info
from dlpipe.targets.registry import targets

OWN = """
name = "mine"
summary = "for the test"
precision = "int8"

[[steps]]
pass = "quantize-int8"
params.method = "minmax"
search.percentile = {low = 99.0, high = 99.9}
"""


@pytest.mark.parametrize("name", sorted(recipes()))
def test_a_recipe_names_passes_and_parameters_that_exist(name: str) -> None:
    found = recipe(name)
    assert found.name == name
    assert tolerance_of(found.judged_as)
    for step in found.steps:
        assert pass_call(step.name, **step.params)
    assert found.needs() <= {"samples", "train", "teacher"}
    assert all(not step.optional or len(found.steps) > 1 for step in found.steps)


def test_the_plain_precisions_and_the_named_recipes_are_there() -> None:
    assert {"fp32", "fp16", "int8", "int4", "bf16"} <= set(recipes())
    assert {"fast", "balanced", "smallest", "npu-int8", "fpga-lowbit", "llm-int4"} <= set(recipes())
    assert recipe("fp32").steps == []
    assert [step.name for step in recipe("int8").steps] == ["quantize-int8"]


def test_patterns_of_targets_match_targets_that_exist_or_are_to_come() -> None:
    for each in recipes().values():
        for pattern in each.targets:
            assert pattern == "*" or any(char.isalpha() for char in pattern)
    assert any(each.suits(name) for each in recipes().values() for name in targets())


def test_a_users_file_is_a_recipe(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(OWN, encoding="utf-8")
    found = recipe(str(file))
    assert (found.name, found.steps[0].params) == ("mine", {"method": "minmax"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (OWN.replace("quantize-int8", "quantise"), "there is no pass"),
        (OWN.replace("params.method", "params.methode"), "no parameter 'methode'"),
        (OWN.replace("search.percentile", "search.percent"), "no parameter 'percent'"),
        (OWN.replace("low = 99.0", "low = 99.9"), "not below"),
        (OWN.replace('"int8"\n\n', '"int7"\n\n'), "precision"),
        (OWN.replace('summary = "for the test"\n', ""), "summary"),
        (OWN.replace("search.percentile = {low", "search.only = {sensitive = [1], low"), "sensitive"),
        (OWN + "search.only = { sensitive = [1] }\n", "only 'keep'"),
        (OWN + "\nretries = 3\n", "retries"),
        (OWN.replace('"mine"', '"int8"'), "comes with dlpipe"),
        (OWN + "params.keep = 5\n", "keep of the pass quantize-int8 is a list, not 5"),
        (OWN + "params.smooth = 1\n", "true or false"),
        (OWN.replace("minmax", "median"), "method of the pass quantize-int8 takes auto, minmax"),
        (OWN + "search.weights = ['int8', 'int9']\n", "weights of the pass quantize-int8 takes int8, int7, not 'int9'"),
        (OWN + "search.ends = [{method = 'median'}]\n", "takes auto, minmax"),
        (OWN.replace("low = 99.0", "low = 9.0"), "percentile of the pass quantize-int8 takes 50 to 100, not 9.0"),
        (OWN.replace("params.method", "params.correct_bias = 1979-05-27\nparams.method"), "finite numbers"),
        (OWN + "params.percentile = nan\n", "finite numbers"),
        (OWN + "search.smooth = [inf]\n", "finite numbers"),
        (OWN.replace("low = 99.0", "low = -inf"), "finite"),
        (OWN + f"params.keep = {'[' * 3000}{']' * 3000}\n", "nested too deep"),
        ("name = ", "TOML"),
    ],
)
def test_a_wrong_file_is_told_by_field(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        recipe(str(file))
    assert says in caught.value.message
    assert str(file) in caught.value.message


def test_names_that_are_none_get_the_nearest() -> None:
    with pytest.raises(UserError) as caught:
        recipe("int9")
    assert "int8" in (caught.value.hint or "")
    with pytest.raises(UserError, match="cannot be read"):
        read_recipe(Path("nowhere.toml"))


def test_a_targets_kernels_go_before_the_recipe_where_the_pass_makes_integers_of_activations() -> None:
    options = {"activations": "int8", "weights": "int8", "unknown": 1}
    step = Step.model_validate({"pass": "quantize-int8", "params": {"activations": "uint8", "method": "mse"}})
    assert params_for(step, options) == {"activations": "int8", "weights": "int8", "method": "mse"}
    assert params_for(Step.model_validate({"pass": "fp16"}), options) == {}
    assert pass_info("quantize-int8").defaults["activations"] == "uint8"


def test_what_a_recipe_needs_at_least_leaves_out_what_is_optional() -> None:
    balanced = recipe("balanced")
    assert balanced.needs() == {"samples", "train", "teacher"}
    assert balanced.needs(at_least=True) == {"samples"}

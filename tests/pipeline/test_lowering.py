"""What a backend wants done to the IR before it compiles it, as stages."""

from __future__ import annotations

import pytest

from dlpipe.ir.calls import describe_call
from dlpipe.passes.recipes import recipe
from dlpipe.passes.registry import pass_info
from dlpipe.pipeline.lowering import lower
from dlpipe.pipeline.samples import Samples, SampleSet
from dlpipe.pipeline.stage import Outcome, Stage
from dlpipe.pipeline.store import Record
from dlpipe.targets.registry import backend, backends

ALL = SampleSet("samples", "reference")
SAMPLES = Samples(
    full=ALL,
    emulated=ALL,
    calibration="samples",
    timing="samples",
    count=1,
    source="generated",
    labelled=False,
    names=(),
)


def described(*operators: str, status: str = "ok") -> Outcome:
    record = Record(
        key="0" * 64,
        parts={},
        output=None,
        value={"operators": dict.fromkeys(operators, 1)},
        notes=(),
        seconds=0.0,
        created="2026-01-01T00:00:00+00:00",
        log=None,
        tools={},
    )
    return Outcome(Stage("describe:clean", "measure", describe_call()), status, "miss", record=record)


@pytest.mark.parametrize("name", sorted(backends()))
def test_a_model_without_loops_is_compiled_as_it_is(name):
    assert lower(backend(name), recipe("fp32"), SAMPLES, ir="clean", described=described("Conv")) == ("clean", ())


def test_onnxruntime_takes_loops_as_they_are():
    tool = backend("onnxruntime")
    assert lower(tool, recipe("fp32"), SAMPLES, ir="clean", described=described("Scan", "Loop")) == ("clean", ())


@pytest.mark.parametrize("op", ["Scan", "Loop"])
def test_backends_that_want_the_same_share_its_stages(op):
    made = [
        lower(backend(name), recipe("fp32"), SAMPLES, ir="clean", described=described(op)) for name in ("tvm", "ncnn")
    ]
    assert made[0] == made[1]
    ir, stages = made[0]
    passes = [stage for stage in stages if stage.kind == "pass"]
    assert passes[0].id == "fp32+unroll"
    assert passes[0].inputs == {"ir": "clean"}
    assert [stage.inputs["ir"] for stage in passes[1:]] == [stage.id for stage in passes[:-1]]
    assert ir == passes[-1].id
    assert {f"{check}:{each.id}" for each in passes for check in ("run", "fidelity", "describe")} <= {
        s.id for s in stages
    }


def test_each_precision_has_stages_of_its_own():
    ir, stages = lower(backend("tvm"), recipe("int8"), SAMPLES, ir="int8-int8", described=described("Scan"))
    assert ir.startswith("int8-int8+unroll")
    assert stages[0].inputs == {"ir": "int8-int8"}


def test_composed_operators_are_written_out_where_the_backend_lacks_them():
    named = described("Attention", "Gelu", "RotaryEmbedding", "Swish")
    made = {name: lower(backend(name), recipe("fp32"), SAMPLES, ir="clean", described=named)[0] for name in backends()}
    assert made["onnxruntime"] == "fp32+decompose.Swish"
    assert made["tvm"] == "fp32+decompose.Attention.RotaryEmbedding.Swish+fold-constants"
    assert made["ncnn"] == "fp32+decompose.Attention.RotaryEmbedding+fold-constants"


@pytest.mark.parametrize(
    ("inputs", "attributes", "plain"),
    [
        (["x", "scale", "bias"], {}, True),
        (["x", "scale", "bias"], {"axis": 2}, True),
        (["x", "scale"], {}, False),
        (["x", "scale", ""], {}, False),
        (["x", "scale", "bias"], {"axis": 1}, False),
        (["x", "scale", "bias"], {"axis": -2}, False),
    ],
)
def test_ncnn_has_layer_norms_of_one_kind_only(inputs, attributes, plain):
    shapes = [{"name": name, "dtype": "float32", "shape": [1, 4, 8]} for name in inputs]
    node = {"name": "norm", "op": "LayerNormalization", "inputs": shapes, "outputs": [], "attributes": attributes}
    steps = backend("ncnn").lowering({"operators": {"LayerNormalization": 1}, "nodes": [node]})
    assert [step.name for step in steps] == ([] if plain else ["decompose", "fold-constants"])


def test_only_exact_passes_that_need_no_data_are_asked_for():
    for tool in backends().values():
        for step in tool.lowering({"operators": {"Scan": 1, "Loop": 1, "Attention": 1, "Swish": 1}}):
            assert pass_info(step.name).exact
            assert not pass_info(step.name).needs
            assert set(step.params) <= set(pass_info(step.name).defaults)


def test_where_there_is_no_ir_nothing_is_lowered():
    assert lower(backend("tvm"), recipe("fp16"), SAMPLES, ir="fp16", described=described(status="failed")) == (
        "fp16",
        (),
    )

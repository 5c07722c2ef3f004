"""Domains, ONNX Runtime's own format, external data, and who made the reference."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dlpipe.errors import BadModel, UserError
from dlpipe.frontends.onnx import OnnxFrontend
from dlpipe.ir.calls import describe_call
from tests.frontends.onnx.conftest import Try


def test_machine_learning_domain(try_text: Try) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 3]> g (float[4,3] x) => (float[4,3] y)
    { s = ai.onnx.ml.Scaler<offset=[1.0,2.0,3.0], scale=[0.5,0.5,2.0]>(x)
      y = ai.onnx.ml.Normalizer<norm="L2">(s) }"""
    tried = try_text(text)
    assert (tried.value["kind"], tried.notes) == ("original", [])
    assert tried.error < 1e-6


@pytest.mark.parametrize("domain", ["ai.onnx.ml", "com.microsoft"])
def test_a_known_domain_that_the_file_does_not_declare(try_text: Try, domain: str) -> None:
    op = "ai.onnx.ml.Binarizer<threshold=0.5>" if domain == "ai.onnx.ml" else "com.microsoft.Gelu"
    tried = try_text(f'<ir_version: 8, opset_import: ["" : 17]> g (float[6] x) => (float[6] y) {{ y = {op}(x) }}')
    assert domain in tried.notes[0]
    assert tried.error < 1e-6


def test_an_unknown_domain_is_refused_with_its_node(try_text: Try) -> None:
    with pytest.raises(UserError, match="does not declare") as caught:
        try_text('<ir_version: 8, opset_import: ["" : 17]> g (float[6] x) => (float[6] y) { [n] y = my.own.Gelu(x) }')
    assert caught.value.where["op"] == "my.own::Gelu"


@pytest.mark.parametrize("level", ["ORT_DISABLE_ALL", "ORT_ENABLE_ALL"])
def test_the_format_of_onnx_runtime_is_read_back(
    shared: Path, bench: Any, try_file: Try, tmp_path: Path, level: str
) -> None:
    source = {"source": shared / "models" / "ultraface"}
    _, made = bench.tool("to_ort", inputs=source, entry="version-RFB-320.onnx", level=level)
    shutil.copy(made / "model.ort", tmp_path / "a model without its suffix")
    tried = try_file(tmp_path, "a model without its suffix", count=2)
    assert tried.value["kind"] == "original"
    assert tried.error < 1e-5
    operators = bench.run(describe_call(), ir=tried.ir)[0]["operators"]
    assert operators["Conv"] == 52  # fused ones are taken apart
    assert not [name for name in operators if "::" in name]


def test_damaged_files_of_that_format_are_refused(bench: Any, try_file: Try, shared: Path, tmp_path: Path) -> None:
    source = {"source": shared / "models" / "ultraface"}
    _, made = bench.tool("to_ort", inputs=source, entry="version-RFB-320.onnx", level="ORT_ENABLE_BASIC")
    content = (made / "model.ort").read_bytes()
    for size in (8, 100, len(content) // 2):
        (tmp_path / "m.ort").write_bytes(content[:size])
        with pytest.raises(UserError, match=r"does not read the \.ort file"):
            try_file(tmp_path, "m.ort")


def test_old_set_with_weights_in_a_file_of_their_own(bench: Any, try_file: Try) -> None:
    text = '<ir_version: 4, opset_import: ["" : 6]> g (float[2,4] x) => (float[2,4] y) { y = Add<broadcast=1>(x, w) }'
    tried = try_file(bench.build(text, weights={"w": [4]}, external={"w": "weights.bin"}))
    assert tried.error < 1e-6
    assert not (tried.ir / "weights.bin").exists()


def test_old_files_whose_inputs_do_not_list_the_weights(try_text: Try) -> None:
    """ONNX's checker refuses them; ONNX Runtime never did."""
    text = '<ir_version: 3, opset_import: ["" : 8]> g (float[2,3] x) => (float[2,3] y) <float[3] w = {1, 2, 3}>'
    tried = try_text(text + "{ y = Add(x, w) }")
    assert (tried.value["kind"], tried.error) == ("original", 0)


def test_outputs_that_do_not_tell_their_shape(try_text: Try) -> None:
    head = '<ir_version: 8, opset_import: ["" : 17]> g (float[2,N] x) =>'
    tried = try_text(f"{head} (float[] y) {{ y = Relu(x) }}")
    assert json.loads((tried.ir / "contract.json").read_bytes())["outputs"][0]["shape"] == [2, "N"]
    assert tried.error == 0
    tried = try_text(f"{head} (float[] y) {{ y = Squeeze(x) }}")  # nothing but a run tells how many axes are left
    assert tried.error == 0


def test_an_input_without_a_shape_takes_the_users(try_file: Try, bench: Any) -> None:
    source = bench.build('<ir_version: 8, opset_import: ["" : 17]> g (float[] x) => (float[] y) { y = Relu(x) }')
    with pytest.raises(UserError, match="input 'x' has no shape"):
        try_file(source)
    tried = try_file(source, inputs={"x": {"shape": [2, 3]}})
    assert (tried.outputs["y"].shape, tried.error) == ((3, 2, 3), 0)
    told = bench.build('<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }')
    with pytest.raises(UserError, match="itself tells the shape"):
        try_file(told, inputs={"x": {"shape": [3]}})


def test_a_cycle_in_an_old_file_is_told_before_it_is_converted(try_text: Try) -> None:
    with pytest.raises(BadModel, match="cycle"):
        try_text(
            '<ir_version: 3, opset_import: ["" : 6]> g (float[2] x) => (float[2] y)'
            "{ a = Add<broadcast=1>(x, b)  b = Relu(a)  y = Relu(b) }"
        )


def test_which_operators_are_covered_is_told_by_what_runs(bench: Any) -> None:
    value, _ = bench.run(OnnxFrontend().operators_call())
    operators = value["operators"]
    assert "ONNX Runtime 1." in value["source"]
    assert operators["Conv"] == {"support": "full", "note": None}
    assert (
        operators["Mish"]["support"] == operators["qonnx::Quant"]["support"] == operators["Affine"]["support"] == "full"
    )
    assert operators["RoiAlign"]["support"] == "partial"
    assert operators["ImageDecoder"]["support"] == operators["qonnx::Im2Col"]["support"] == "none"
    assert len(operators) > 200


def test_the_suffix_decides_nothing(shared: Path, try_file: Try, tmp_path: Path) -> None:
    shutil.copy(shared / "models/hls4ml_examples/three_layer_bn_pytorch.onnx", tmp_path / "model.json")
    assert try_file(tmp_path, "model.json", count=2).error < 1e-5
    (tmp_path / "text.json").write_text('{"nodes": []}')
    with pytest.raises(BadModel, match="not a whole ONNX file"):
        try_file(tmp_path, "text.json")

"""QONNX, Brevitas and FINN quantisers: what they become gives the very numbers of QONNX's own executor."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from dlpipe.errors import UserError
from dlpipe.ir.calls import describe_call
from dlpipe.ir.contract import Contract
from tests.frontends.onnx.conftest import Try

HEAD = '<ir_version: 8, opset_import: ["" : 13, "qonnx.custom_op.general" : 1]> g '
DOMAIN = "qonnx.custom_op.general."
VALUES = "<float s = {0.21}, float one = {1}, float z = {0}, float z3 = {3}, float[3] cs = {0.1, 0.2, 0.3}, "
VALUES += "float[3] b248 = {2, 4, 8}, float b1 = {1}, float b2 = {2}, float b4 = {4}, float b8 = {8}, float b6 = {6}>"
ROUNDINGS = ("ROUND", "HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")


def _model(calls: list[str], kind: str = "float[2,5,3]", out: str | None = None) -> str:
    """One output per call."""
    outputs = ", ".join(f"{out or kind} y{index}" for index in range(len(calls)))
    nodes = " ".join(f"y{index} = {DOMAIN}{call}" for index, call in enumerate(calls))
    return f"{HEAD}({kind} x) => ({outputs}) {VALUES} {{ {nodes} }}"


def test_quant_in_all_its_forms(try_text: Try, bench: Any) -> None:
    forms = list(
        itertools.product(("s", "one", "cs"), ("z", "z3"), ("b1", "b2", "b4", "b8"), (0, 1), (0, 1), ["ROUND"])
    )
    forms += list(itertools.product(("s",), ("z", "z3"), ("b4",), (1,), (0,), ROUNDINGS))
    calls = [
        f'Quant<signed={signed}, narrow={narrow}, rounding_mode="{mode}">(x, {scale}, {zero}, {bits})'
        for scale, zero, bits, signed, narrow, mode in forms
    ]
    tried = try_text(_model(calls), count=2)
    assert tried.value["tool"].startswith("qonnx ")
    assert tried.value["kind"] == "original"
    for name, wanted in tried.reference.items():
        assert (tried.outputs[name] == wanted).all(), calls[int(name[1:])]
    operators = bench.run(describe_call(), ir=tried.ir)[0]["operators"]
    assert not [name for name in operators if "::" in name or "Linear" in name]  # not all have eight bits


def test_a_net_of_eight_bits_is_one_for_integer_runtimes(try_text: Try, bench: Any) -> None:
    weights = "<float s = {0.0213}, float a = {0.0147}, float z = {0}, float b = {8}, float b4 = {4}, "
    weights += "float[4,1,1,1] ws = {0.011, 0.012, 0.013, 0.014}>"
    nodes = """{ xq = D.Quant<signed=1, narrow=0, rounding_mode="ROUND">(x, s, z, b)
    wq = D.Quant<signed=1, narrow=1, rounding_mode="ROUND">(w, ws, z, b)
    vq = D.Quant<signed=1, narrow=0, rounding_mode="ROUND">(v, s, z, b4)
    c = Conv<kernel_shape=[3,3], pads=[1,1,1,1]>(xq, wq)  r = Relu(c)
    y = D.Quant<signed=0, narrow=0, rounding_mode="ROUND">(r, a, z, b)
    m = GlobalAveragePool(y)  f = Flatten(m)  t = MatMul(f, vq) }""".replace("D.", DOMAIN)
    text = f"{HEAD}(float[1,3,8,8] x) => (float[1,4,8,8] y, float[1,2] t) {weights} {nodes}"
    tried = try_text(text, weights={"w": [4, 3, 3, 3], "v": [4, 2]}, scale=0.3)
    operators = bench.run(describe_call(), ir=tried.ir)[0]["operators"]
    assert (operators["QuantizeLinear"], operators["DequantizeLinear"]) == (2, 4)  # weights are stored as integers
    assert (tried.outputs["y"] != tried.reference["y"]).mean() < 0.01  # where a sum lies between two steps
    assert abs(tried.outputs["y"] - tried.reference["y"]).max() < 1.01 * 0.0147
    resolution = Contract.read(tried.ir).metadata["resolution"]
    assert resolution["y"]["step"] == pytest.approx(0.0147)
    assert resolution["t"] == {"range": 5e-3}


def test_the_other_quantisers(try_text: Try) -> None:
    calls = ["BipolarQuant(x, s)", "BipolarQuant(x, cs)"]
    calls += [f'Trunc<rounding_mode="{mode}">(x, s, z3, b8, b6)' for mode in ROUNDINGS]
    for table in ("t", "ct"):
        calls += [
            f'MultiThreshold<out_dtype="INT4">(x, {table})',
            f'MultiThreshold<out_dtype="INT4", out_scale=2.0, out_bias=-1.5>(x, {table})',
        ]
    thresholds = "<float[1,3] t = {-0.5, 0.1, 0.9}, float[3,2] ct = {-1, 0, -0.5, 0.5, 0, 1}, "
    tried = try_text(_model(calls, "float[2,4,3]").replace("<float s", f"{thresholds}float s"), count=4)
    for name, wanted in tried.reference.items():
        assert (tried.outputs[name] == wanted).all(), calls[int(name[1:])]


def test_trunc_of_version_2(try_text: Try) -> None:
    calls = [
        f'Trunc<rounding_mode="{mode}", signed={signed}, narrow={narrow}>(x, s, z3, b8, s4, b4)'
        for mode, signed, narrow in itertools.product(ROUNDINGS, (0, 1), (0, 1))
    ]
    text = _model(calls).replace('general" : 1', 'general" : 2').replace("<float s =", "<float s4 = {0.84}, float s =")
    tried = try_text(text, count=4)
    for name, wanted in tried.reference.items():
        assert (tried.outputs[name] == wanted).all(), calls[int(name[1:])]


def test_average_pool_of_integers(try_text: Try) -> None:
    calls = [
        f'QuantAvgPool2d<kernel=2, stride={stride}, ibits=4, obits={bits}, signed=0, data_layout="NCHW">(r)'
        for stride, bits in ((2, 4), (2, 2), (2, 8))
    ]
    text = _model(calls, "float[1,2,4,4]", "float[1,2,2,2]").replace("{ y0", "{ m = Mul(x, b8) r = Round(m) y0")
    tried = try_text(text, count=4)
    for name, wanted in tried.reference.items():
        assert (tried.outputs[name] == wanted).all(), calls[int(name[1:])]


@pytest.mark.parametrize("name", ["TFC_2W2A", "qkeras_jettagging"])
def test_real_nets_whose_files_do_not_declare_the_domain(shared: Path, try_file: Try, bench: Any, name: str) -> None:
    tried = try_file(shared / "models" / "qonnx_zoo", f"{name}.onnx", count=64)
    assert tried.error < 1e-6
    kept = json.loads(bench.tool("metadata", inputs={"ir": tried.ir})[0]["dlpipe.quantizers"])
    assert {each["op"] for each in kept} == {"Quant"}
    assert all(each["attributes"].keys() == {"narrow", "rounding_mode", "signed"} for each in kept)
    assert {bits for each in kept for bits in [each["parameters"][each["inputs"][3]]]} <= {2.0, 6.0, 7.0, 16.0}


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("Quant<signed=1, narrow=0>(x, s, z, x)", "bit width is not stored"),
        ('Quant<signed=1, narrow=0, rounding_mode="ODD">(x, s, z, b4)', "rounding mode is ODD"),
        ("Quant<narrow=0>(x, s, z, b4)", "attribute signed is missing"),
        ("Quant<signed=1, narrow=0>(x, s, z, b248)", r"bit width is \[2.0, 4.0, 8.0\]"),
        ("Quant<signed=1, narrow=0>(x, s, z)", "3 inputs"),
        ("Im2Col<stride=[1,1]>(x)", "no counterpart"),
    ],
)
def test_what_has_no_exact_counterpart_is_refused(try_text: Try, call: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        try_text(_model([call]))
    assert caught.value.where["op"].startswith("qonnx.custom_op.general::")

"""What a graph is without its weights."""

from __future__ import annotations

from typing import Any

from dlpipe.ir.calls import describe_call
from dlpipe.pipeline.structure import structure

NET = """<ir_version: 8, opset_import: ["" : 17]> net (float[N,8] x) => (float[N,4] y) {
    [first] a = MatMul(x, w)  [second] b = LeakyRelu<alpha=0.1>(a)  [third] y = MatMul(b, v) }"""


def of(bench: Any, text: str, inner: int = 6) -> str:
    sizes = {"w": [8, inner], "v": [inner, 4]}
    made_up = {name: size for name, size in sizes.items() if f" {name} =" not in text}
    ir = bench.make_ir(bench.build(text=text, weights=made_up))
    return structure(bench.run(describe_call(), ir=ir)[0])


def test_other_weights_and_names_are_the_same_structure(bench: Any) -> None:
    renamed = NET.replace("[first] a", "[node_7] t7").replace("(a)", "(t7)").replace("[N,", "[batch,")
    scaled = NET.replace("=> (float[N,4] y)", "=> (float[N,4] y) <float[8,6] w = {" + ", ".join(["0.5"] * 48) + "}>")
    assert of(bench, NET) == of(bench, renamed) == of(bench, scaled)


def test_another_width_operator_attribute_or_wiring_is_another(bench: Any) -> None:
    swapped = NET.replace("MatMul(b, v)", "MatMul(a, v)")
    others = [NET.replace("alpha=0.1", "alpha=0.2"), NET.replace("LeakyRelu<alpha=0.1>", "Elu"), swapped]
    found = [of(bench, NET), of(bench, NET, inner=7), *(of(bench, text) for text in others)]
    assert len(set(found)) == len(found)

"""How a graph is cut for two backends: pure planning, on what the describe operation would say."""

from __future__ import annotations

from typing import Any

import pytest

from dlpipe.contracts.backend import Refusal
from dlpipe.errors import Unsupported
from dlpipe.pipeline.partition import MAX_PARTS, Part, partition
from dlpipe.pipeline.preflight import refusals
from dlpipe.targets.registry import backend, target

NCNN, ORT, X86 = backend("ncnn"), backend("onnxruntime"), target("x86-64")


def model(*nodes: str, outputs: str = "y", inputs: str = "x") -> dict[str, Any]:
    """Nodes as "name Op inputs outputs", values separated by commas; a fifth word: what a graph inside it reads."""
    made = []
    for text in nodes:
        name, op, read, written, *bodies = text.split()
        values = {
            side: [{"name": each} for each in names.split(",")]
            for side, names in (("inputs", read), ("outputs", written))
        }
        inside = {"bodies": {"operators": ["Sqrt"], "reads": bodies[0].split(",")}} if bodies else {}
        made.append({"name": name, "op": op, **values, **inside})
    return {
        "nodes": made,
        "operators": {each["op"]: 1 for each in made},
        "opsets": {"ai.onnx": 17},
        "inputs": _ports(inputs),
        "outputs": _ports(outputs),
    }


def _ports(names: str) -> list[dict[str, Any]]:
    return [{"name": name, "shape": [1]} for name in names.split(",")]


def cut(described: dict[str, Any], tool: Any = NCNN, fallback: Any = ORT) -> tuple[Part, ...]:
    found = refusals(tool, X86, "fp32", described)
    assert found
    return partition(tool, fallback, X86, "fp32", described, found)


def shown(parts: tuple[Part, ...]) -> list[tuple[str, str, str, str]]:
    return [(each.backend.name, " ".join(each.nodes), " ".join(each.inputs), " ".join(each.outputs)) for each in parts]


def test_a_chain_with_a_branch_around_what_is_cut_out() -> None:
    described = model("c Conv x,w a", "r Relu a b", "z NonZero b i", "g Gather i,a h", "s Sigmoid b t", "e Add h,t y")
    assert shown(cut(described)) == [
        ("ncnn", "c r s", "x", "a b t"),
        ("onnxruntime", "z", "b", "i"),
        ("ncnn", "g e", "i a t", "y"),
    ]


def test_what_comes_first_may_be_the_fallbacks() -> None:
    assert shown(cut(model("z NonZero x i", "c Cast i y"))) == [
        ("onnxruntime", "z", "x", "i"),
        ("ncnn", "c", "i", "y"),
    ]


def test_what_only_depends_on_constants_goes_with_its_readers() -> None:
    described = model("d DequantizeLinear w,s k", "c Conv x,k a", "z NonZero a i", "m Mul i,k y", "u Relu a unread")
    assert [each.nodes for each in cut(described)] == [("c",), ("z",), ("m",)]
    assert [each.inputs for each in cut(described)] == [("x",), ("a",), ("i",)]


def test_a_body_reads_what_is_around_it() -> None:
    described = model("c Conv x,w a", "i If flag b a", "r Relu b y", inputs="x,flag")
    assert shown(cut(described))[1] == ("onnxruntime", "i", "flag a", "b")


def test_all_nodes_of_an_operator_go_where_a_backend_names_one() -> None:
    """OpenCV names the first; with that gone, the next."""
    described = model("a Relu x p", "d1 Col2Im p q", "b Relu q r", "d2 Col2Im r y")
    parts = cut(described, tool=backend("opencv"))
    assert [(each.backend.name, each.nodes) for each in parts] == [
        ("opencv", ("a",)), ("onnxruntime", ("d1",)), ("opencv", ("b",)), ("onnxruntime", ("d2",)),
    ]  # fmt: skip


def test_truth_values_do_not_cross_from_one_runtime_to_another() -> None:
    """What the compiler named is cut out, with what gives it truth values and what takes its own."""
    described = model("r Relu x a", "l Less a,k b", "n Not b g", "c Cast g f", "m Mul f,a y")
    for node in described["nodes"]:
        for each in (*node["inputs"], *node["outputs"]):
            each["dtype"] = "bool" if each["name"] in ("b", "g") else "float32"
    told = [Refusal("ncnn has no layer torch.logical_not", op="Not")]
    parts = partition(NCNN, ORT, X86, "fp32", described, told)
    assert [(each.backend.name, each.nodes) for each in parts] == [
        ("ncnn", ("r",)), ("onnxruntime", ("l", "n", "c")), ("ncnn", ("m",)),
    ]  # fmt: skip


MANY = [f"{kind}{number} {op} v{2 * number + at} v{2 * number + at + 1}"
        for number in range(MAX_PARTS) for at, kind, op in ((0, "r", "Relu"), (1, "z", "NonZero"))]  # fmt: skip


@pytest.mark.parametrize(
    ("described", "says"),
    [
        (model("z NonZero x y"), "nothing of it is left for ncnn"),
        (model(*MANY, inputs="v0", outputs=f"v{2 * MAX_PARTS}"), f"more than {MAX_PARTS} are not made"),
        (model("c Conv x,w a", "z NonZero a y", outputs="y,w"), "its output w is a constant"),
        (model("c Relu x a", "f com.example::Own a b", "z NonZero b y"), None),
    ],
)
def test_what_does_not_cut_cleanly_is_refused(described: dict[str, Any], says: str | None) -> None:
    if says is None:  # ncnn's pre-flight knows nothing of it: it stays on ncnn's side
        assert [each.nodes for each in cut(described)] == [("c", "f"), ("z",)]
        return
    with pytest.raises(Unsupported, match=says):
        cut(described)


def test_the_fallback_must_take_its_side() -> None:
    with pytest.raises(Unsupported, match="no CPU kernel for com.example::Own"):
        cut(model("c Relu x a", "f com.example::Own a y"), tool=backend("opencv"))
    with pytest.raises(Unsupported, match="ncnn makes no fp32"):
        cut(model("c Relu x a", "z NonZero a y"), fallback=NCNN)
    described = model("c Relu x a", "z NonZero a y")
    described["opsets"]["ai.onnx"] = 99
    with pytest.raises(Unsupported, match="cannot do it either: opset 99"):
        cut(described)

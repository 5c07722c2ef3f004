"""ONNX -> NNEF -> ONNX, operator by operator: the same outputs."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import Unsupported
from dlpipe.frontends.nnef import NnefFrontend
from dlpipe.ir import nnef

WEIGHTS = {
    "w": [6, 4, 3, 3], "dw": [4, 1, 3, 3], "gw": [6, 2, 3, 3], "back": [4, 6, 3, 3], "b6": [6], "b4": [4], "m4": [4],
    "s4_positive": [4], "v4_positive": [4], "row": [7], "col": [6, 1], "slope": [4, 1, 1], "mat": [7, 5],
    "mat5": [5, 7], "five": [5],
}  # fmt: skip
INTS = {
    "s0": [0], "s1": [1], "s2": [2], "s3": [3], "sm1": [-1], "big": [9223372036854775807],
    "low": [-9223372036854775807],
    "keep": [0, 4, -1], "p8": [0, 0, 1, 0, 0, 0, 2, 1], "two": [1, 3], "tile4": [1, 2, 1, 3], "ex": [2, 4, 6, 7],
    "idx": [3, 0, -1], "a23": [2, 3], "a1": [1], "four": [4],
}  # fmt: skip
GROUPS = {
    "elementwise": """
Relu(x) Sigmoid(x) Tanh(x) Exp(x) Abs(x) Neg(x) Floor(x) Ceil(x) Sign(x) Softplus(x) Softsign(x) Erf(x)
LeakyRelu<alpha=0.2>(x) Elu(x) Selu(x) HardSigmoid(x) HardSwish(x) ThresholdedRelu(x) PRelu(x,slope) Dropout(x)
Add(x,y) Sub(x,row) Mul(x,col) Div(x,slope) Max(x,y,row) Min(x,y) Sum(x,y,col) Mean(x,y,row) Identity(x) Cast<to=7>(x)
Clip(x,zero,one) Clip(x,zero) Clip(x,,one) Where(lt,x,y) Pow(ab,half) Gelu(x) Gelu<approximate="tanh">(x) Xor(lt,gt)""",
    "shaping": """Reshape(x,keep) Flatten(x) Squeeze(x,s0) Unsqueeze(x,two) Transpose<perm=[0,2,3,1]>(x)
Concat<axis=-1>(x,y,x) Slice(x,two,big2,a23) Slice(x,sm1,low,s2,sm1) Slice(x,s0,sm1,s1,s2) Pad(x,p8)
Pad<mode="edge">(x,p8) Pad<mode="reflect">(x,p8) Pad(x,two,one,a1) Tile(x,tile4) Expand(x,ex)
Gather<axis=1>(x,idx) Gather(table,idx)
DepthToSpace<blocksize=2>(x) DepthToSpace<blocksize=2,mode="CRD">(x)
Resize<mode="nearest",coordinate_transformation_mode="asymmetric",nearest_mode="floor">(x,,sc)
Resize<mode="nearest">(x,,sc) Resize<mode="linear">(x,,sc)
Resize<mode="linear",coordinate_transformation_mode="align_corners">(x,,sc)""",
    "reducing": """ReduceSum(x) ReduceMean(x,a23) ReduceMean<keepdims=0>(x,a1) ReduceMax(x,a1)
ReduceMin<keepdims=0>(x,a23) ReduceL1(x,a1) ReduceL2<keepdims=0>(x,a1) ReduceSumSquare(x,a23) ArgMax<axis=1>(x)
ArgMin<axis=-1,keepdims=0>(x)
Softmax(x) Softmax<axis=1>(x) LogSoftmax<axis=1>(x) LpNormalization<axis=1>(x) InstanceNormalization(x,s4_positive,b4)
LayerNormalization(x,row,row) MatMul(x,mat) Gemm(f,mat,five) Gemm<alpha=0.5,beta=2.0,transB=1>(f,mat5,five)""",
    "windows": """Conv(x,w,b6) Conv<pads=[1,0,2,1],strides=[2,1]>(x,w) Conv<auto_pad="SAME_LOWER",strides=[2,2]>(x,w)
Conv<group=4,dilations=[2,1]>(x,dw) Conv<group=2>(x,gw,b6) ConvTranspose(x,back,b6)
ConvTranspose<strides=[2,2],pads=[1,1,0,1],output_padding=[1,0]>(x,back)
ConvTranspose<strides=[2,2],auto_pad="SAME_UPPER">(x,back) MaxPool<kernel_shape=[3,3],strides=[2,2],ceil_mode=1>(x)
MaxPool<kernel_shape=[2,2],pads=[1,1,0,1]>(x) MaxPool<kernel_shape=[2,2],dilations=[2,2]>(x)
AveragePool<kernel_shape=[3,3],pads=[1,1,1,1]>(x) AveragePool<kernel_shape=[3,3],pads=[1,1,1,1],count_include_pad=1>(x)
AveragePool<kernel_shape=[2,2],strides=[2,2],ceil_mode=1>(x) GlobalAveragePool(x) GlobalMaxPool(x) LRN<size=3>(x)
BatchNormalization(x,s4_positive,b4,m4,v4_positive)""",
}


INDICES = ("ArgMax<axis=1>(x)", "ArgMin<axis=-1,keepdims=0>(x)")
RANKS = {
    "Reshape(x,keep)": 3, "Flatten(x)": 2, "Squeeze(x,s0)": 3, "Unsqueeze(x,two)": 6, "Gather(table,idx)": 2,
    "ReduceMean<keepdims=0>(x,a1)": 3, "ReduceMin<keepdims=0>(x,a23)": 2, "ReduceL2<keepdims=0>(x,a1)": 3,
    "ArgMin<axis=-1,keepdims=0>(x)": 3, "Gemm(f,mat,five)": 2, "Gemm<alpha=0.5,beta=2.0,transB=1>(f,mat5,five)": 2,
}  # fmt: skip
numbers = itertools.count()


def free(rank: int) -> str:
    return f"[{','.join(f'd{next(numbers)}' for _ in range(rank))}]"


def graph(group: str) -> str:
    calls = GROUPS[group].split()
    lines = [f"  o{index} = {call}" for index, call in enumerate(calls)]
    if group == "shaping":
        lines.append(f"  a, o{len(calls)} = Split<axis=1>(x, parts)")
        calls.append("Split")
    kinds = {"Cast<to=7>(x)": "int64", "Xor(lt,gt)": "bool", **dict.fromkeys(INDICES, "int64")}
    outputs = ", ".join(f"{kinds.get(call, 'float')}{free(RANKS.get(call, 4))} o{at}" for at, call in enumerate(calls))
    return f"""<ir_version: 9, opset_import: ["" : 20]>
g (float[N,4,6,7] x, float[N,4,6,7] y) => ({outputs})
<float zero = {{-0.5}}, float one = {{0.5}}, float half = {{0.5}}, float[4] sc = {{1.0, 1.0, 2.0, 2.0}},
 int64[2] big2 = {{9223372036854775807, 5}}, int64[2] parts = {{1, 3}}>
{{
  ab = Abs(x)
  lt = Less(x, y)
  gt = Greater(x, row)
  table = Slice(col, s0, four)
  f = Reshape(x, flat)
{chr(10).join(lines)}
}}"""


@pytest.mark.parametrize("group", GROUPS)
def test_operators(bench: Any, group: str) -> None:
    ints = {**INTS, "flat": [-1, 7]}
    ir = bench.make_ir(bench.build(graph(group), weights=WEIGHTS, ints=ints))
    samples = bench.samples(ir, 2, N=1)
    value, written = bench.run(nnef.write_call(), ir=ir, samples=samples)
    call = NnefFrontend().import_call(Sniffed("nnef/folder", "nnef", "."), ImportOptions())
    _, again = bench.run(call, source=written)
    _, out = bench.run(nnef.run_call(value["inputs"], value["outputs"]), ir=ir, again=again, samples=samples)
    wanted = bench.outputs(ir, samples)
    with np.load(out / "outputs.npz") as file:
        for index, name in enumerate(wanted):
            source = GROUPS[group].split()[index : index + 1]
            assert file[name].shape == wanted[name].shape, source
            assert file[name].dtype == wanted[name].dtype, source
            gap = np.abs(file[name].astype(float) - wanted[name].astype(float)).max()
            assert gap <= 1e-5 * (np.ptp(wanted[name].astype(float)) or 1), source


def test_quantised_tensors_become_nnef_s(bench: Any) -> None:
    text = """<ir_version: 9, opset_import: ["" : 18]>
g (float[1,4,6,7] x) => (float[1,6,4,5] y)
<float s = {0.05}, uint8 z = {128}, float sw = {0.02}, int8 zw = {0}>
{
  q = QuantizeLinear(x, s, z)
  d = DequantizeLinear(q, s, z)
  wq = QuantizeLinear(w, sw, zw)
  wd = DequantizeLinear(wq, sw, zw)
  y = Conv(d, wd)
}"""
    ir = bench.make_ir(bench.build(text, weights={"w": [6, 4, 3, 3]}))
    samples = bench.samples(ir, 2)
    value, written = bench.run(nnef.write_call(), ir=ir, samples=samples)
    assert "zero_point_linear_quantize" in (written / "graph.nnef").read_text()
    call = NnefFrontend().import_call(Sniffed("nnef/folder", "nnef", "."), ImportOptions())
    _, again = bench.run(call, source=written)
    _, out = bench.run(nnef.run_call(value["inputs"], value["outputs"]), ir=ir, again=again, samples=samples)
    with np.load(out / "outputs.npz") as file:
        np.testing.assert_allclose(file["y"], bench.outputs(ir, samples)["y"], atol=1e-4)


@pytest.mark.parametrize(
    ("line", "op"),
    [
        ("y, i = TopK(x, k)", "TopK"),
        ("d = Cast<to=11>(x)\n  y = Cast<to=1>(d)", "Cast"),
        ('y = Resize<mode="cubic">(x,, sc)', "Resize"),
        ("y = CumSum(x, k)", "CumSum"),
    ],
)
def test_what_nnef_does_not_have_names_node_and_operator(bench: Any, line: str, op: str) -> None:
    text = f"""<ir_version: 9, opset_import: ["" : 18]>
g (float[1,2,6,7] x) => (float[a,b,c,d] y) <int64[1] k = {{1}}, float[4] sc = {{1.0, 1.0, 2.0, 2.0}}>
{{
  {line}
}}"""
    ir = bench.make_ir(bench.build(text))
    samples = bench.samples(ir, 1)
    with pytest.raises(Unsupported, match="no counterpart") as raised:
        bench.run(nnef.write_call(), ir=ir, samples=samples)
    assert raised.value.where["op"] == op
    assert raised.value.where["node"]


def test_the_same_bytes(bench: Any) -> None:
    ir = bench.make_ir(bench.build(graph("windows"), weights=WEIGHTS, ints={**INTS, "flat": [-1, 7]}))
    samples = bench.samples(ir, 1, N=1)
    first, second = (bench.run(nnef.write_call(), ir=ir, samples=samples)[1] for _ in range(2))
    names = sorted(each.name for each in first.iterdir())
    assert names == sorted(each.name for each in second.iterdir())
    for name in names:
        assert Path(first, name).read_bytes() == Path(second, name).read_bytes()


def test_weights_in_a_file_with_a_further_link(bench: Any, tmp_path: Path) -> None:
    """As the store has them: onnx's own loader takes such a file for an attack."""
    text = '<ir_version: 9, opset_import: ["" : 18]> g (float[1,4,6,7] x) => (float[1,6,4,5] y) { y = Conv(x, w) }'
    parts = {"weights": {"w": [6, 4, 3, 3]}, "external": {"w": "weights.bin"}}
    ir, samples = bench.build(text, **parts), bench.samples(bench.make_ir(bench.build(text, **parts)), 1)
    with bench.pool.worker("core") as worker:
        place = worker.place()
        for name, folder in (("ir", ir), ("samples", samples)):
            (place.inputs / name).mkdir()
            for path in folder.iterdir():
                shutil.copyfile(path, tmp_path / path.name)
                os.link(tmp_path / path.name, place.inputs / name / path.name)
        worker.call(nnef.write_call(), place)
        assert (place.out / "graph.nnef").read_text().count("conv") == 1

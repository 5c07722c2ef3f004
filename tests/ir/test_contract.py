"""The workers write the I/O contract by hand; this is what holds them to the host's type."""

from __future__ import annotations

from dlpipe.ir.contract import Contract

NET = '<ir_version: 8, opset_import: ["" : 18]> g (float[N,4] x, int64[N] i) => (float[N,3] y) { y = Gemm(x, w, b) }'


def test_written_contract_is_the_hosts(bench):
    ir = bench.make_ir(bench.build(NET, weights={"w": [4, 3], "b": [3]}))
    contract = Contract.read(ir)
    assert [(port.name, port.dtype, port.shape) for port in contract.inputs] == [
        ("x", "float32", ("N", 4)),
        ("i", "int64", ("N",)),
    ]
    assert [(port.name, port.shape) for port in contract.outputs] == [("y", ("N", 3))]


def test_real_models(bench, shared):
    for entry, source in (
        ("yunet_n_320_320.onnx", shared / "models/yunet"),
        ("version-RFB-320.onnx", shared / "models/ultraface"),
    ):
        ir = bench.make_ir(source, entry)
        assert Contract.read(ir).inputs[0].shape[:2] == (1, 3)

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from dlpipe.contracts.call import Call
from dlpipe.contracts.passes import PassInfo
from dlpipe.errors import Unsupported, UserError
from dlpipe.passes import registry
from dlpipe.passes.registry import STANDARD, pass_call, pass_info, passes


class Theirs:
    info = PassInfo("theirs", "from an entry point", exact=True)

    def call(self, **params: object) -> Call:
        return Call("core", registry._HERE / "worker.py", "apply", params)


def test_standard_passes_are_exact_and_need_nothing():
    assert set(STANDARD) <= set(passes())
    assert all(pass_info(name).exact and not pass_info(name).needs for name in STANDARD)


def test_lossy_passes_say_so():
    assert not pass_info("fp16").exact
    assert not pass_info("quantize-int8").exact
    assert pass_info("quantize-int8").needs == ("samples",)


def test_defaults_are_part_of_the_call():
    assert pass_call("quantize-int8", activations="int8").params["method"] == "auto"


def test_unknown_names_are_the_users_error():
    with pytest.raises(UserError) as caught:
        pass_info("quantise-int8")
    assert caught.value.hint == "did you mean quantize-int8?"
    with pytest.raises(UserError, match="no parameter 'bits'"):
        pass_call("fp16", bits=8)


def test_entry_points_add_passes(monkeypatch):
    entry = EntryPoint("theirs", f"{__name__}:Theirs", registry.ENTRY_POINTS)
    monkeypatch.setattr(EntryPoint, "load", lambda self: Theirs)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry] if group == registry.ENTRY_POINTS else [])
    registry._all.cache_clear()
    try:
        assert passes()[-1] == "theirs"
        assert pass_call("theirs", x=1).params == {"x": 1}
    finally:
        monkeypatch.undo()
        registry._all.cache_clear()


@pytest.mark.parametrize("name", [name for name in passes() if set(pass_info(name).needs) - {"teacher"}])
def test_without_its_data_a_pass_refuses(name, bench):
    body = """(float[1,3,8,8] x) => (float[1,5] y) {
        a = Conv(x, w, b)  r = Relu(a)  d = Conv(r, v, c)  m = GlobalAveragePool(d)  f = Flatten(m)  y = Gemm(f, u, e)
    }"""
    weights = {"w": [4, 3, 3, 3], "b": [4], "v": [8, 4, 3, 3], "c": [8], "u": [8, 5], "e": [5]}
    ir = bench.make_ir(bench.build(f'<ir_version: 8, opset_import: ["" : 18]> g {body}', weights=weights))
    before = (ir / "model.onnx").read_bytes()
    with pytest.raises(Unsupported):
        bench.run(pass_call(name), ir=ir)
    assert (ir / "model.onnx").read_bytes() == before

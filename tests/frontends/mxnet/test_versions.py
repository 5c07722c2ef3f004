"""Files of older versions, written by hand after their public layout, and what is wrong with bad ones."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.errors import BadModel, Unsupported

from .conftest import Import

random = np.random.default_rng(8)
WEIGHTS = {
    "arg:conv_weight": random.standard_normal((4, 3, 3, 3)).astype(np.float32),
    "arg:bn_gamma": random.uniform(0.5, 1, 4).astype(np.float32),
    "arg:bn_beta": random.standard_normal(4).astype(np.float32),
    "aux:bn_moving_mean": random.standard_normal(4).astype(np.float32),
    "aux:bn_moving_var": random.uniform(0.5, 1, 4).astype(np.float32),
    "arg:fc_weight": random.standard_normal((5, 36)).astype(np.float32),
    "arg:fc_bias": random.standard_normal(5).astype(np.float32),
}
SHAPE = {"data": {"shape": [2, 3, 8, 8]}}


def params(form: str, arrays: dict[str, Any] = WEIGHTS) -> bytes:
    """legacy: before 0.11. v1, v2, v3: with a magic number each."""
    out = struct.pack("<QQQ", 0x112, 0, len(arrays))
    for array in arrays.values():
        if form == "legacy":
            shape = struct.pack(f"<I{array.ndim}I", array.ndim, *array.shape)
        else:
            magic = {"v1": 0xF993FAC8, "v2": 0xF993FAC9, "v3": 0xF993FACA}[form]
            storage = b"" if form == "v1" else struct.pack("<i", 0)
            shape = struct.pack("<I", magic) + storage + struct.pack(f"<i{array.ndim}q", array.ndim, *array.shape)
        flag = {"float32": 0, "int32": 4}[array.dtype.name]
        out += shape + struct.pack("<iii", 1, 0, flag) + array.tobytes()
    out += struct.pack("<Q", len(arrays))
    return out + b"".join(struct.pack("<Q", len(name)) + name.encode() for name in arrays)


def symbol(key: str, statistics: bool) -> str:
    """key: where the attributes stand. statistics: whether BatchNorm's stand in the graph (since 0.9)."""
    long = "L" if key == "param" else ""  # written by Python 2
    kernel = f"(3{long}, 3{long})"
    nodes: list[dict[str, Any]] = []

    def add(op: str, name: str, inputs: list[int], **attributes: str) -> int:
        node: dict[str, Any] = {"op": op, "name": name, "inputs": [[each, 0] for each in inputs]}
        nodes.append({**node, key: attributes} if attributes or key == "param" else node)
        return len(nodes) - 1

    data = add("null", "data", [])
    conv = add(
        "Convolution", "conv", [data, add("null", "conv_weight", [])], kernel=kernel, num_filter="4", no_bias="True"
    )
    more = [add("null", f"bn_{each}", []) for each in ("gamma", "beta")]
    if statistics:
        more += [add("null", f"bn_{each}", []) for each in ("moving_mean", "moving_var")]
    norm = add("BatchNorm", "bn", [conv, *more], fix_gamma="False", eps="0.001")
    pool = add("Pooling", "pool", [norm], kernel="(2, 2)", stride="(2,2)", pool_type="max")
    flat = add("Flatten", "flat", [pool])
    dense = add(
        "FullyConnected", "fc", [flat, add("null", "fc_weight", []), add("null", "fc_bias", [])], num_hidden="5"
    )
    out = add("SoftmaxOutput", "softmax", [dense, add("null", "softmax_label", [])])
    return json.dumps({"nodes": nodes, "arg_nodes": [], "heads": [[out, 0]]})


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def made(text: str, data: bytes | None) -> tuple[Path, ...]:
        path = tmp_path / "net-symbol.json"
        path.write_text(text)
        if data is None:
            return (path,)
        (tmp_path / "net-0000.params").write_bytes(data)
        return path, tmp_path / "net-0000.params"

    return made


@pytest.mark.interpreter
@pytest.mark.parametrize(
    ("key", "statistics", "form"), [("param", False, "legacy"), ("attr", True, "v1"), ("attrs", True, "v2")]
)
def test_versions(write: Any, imported: Import, key: str, statistics: bool, form: str) -> None:
    model = imported(*write(symbol(key, statistics), params(form)), inputs=SHAPE)
    assert model.worst(model.random()) < 1e-5


def test_versions_agree(write: Any, imported: Import) -> None:
    """Also names without `arg:`, and without the prefix of a Gluon block."""
    newest = imported(*write(symbol("attrs", True), params("v3")), inputs=SHAPE)
    samples = newest.random()
    wanted = newest.run(samples)["softmax_output"]
    bare = {name[4:]: array for name, array in WEIGHTS.items()}
    stripped = {name: array for name, array in bare.items() if name != "none"}
    for text, data in (
        (symbol("param", False), params("legacy", bare)),
        (symbol("attrs", True).replace('"conv', '"net0_conv').replace('"bn', '"net0_bn').replace('"fc', '"net0_fc'),
         params("v2", stripped)),
    ):  # fmt: skip
        found = imported(*write(text, data), inputs=SHAPE).run(samples)
        np.testing.assert_allclose(next(iter(found.values())), wanted, atol=1e-6)


def test_what_is_missing_or_foreign(write: Any, imported: Import) -> None:
    text = symbol("attrs", True)
    with pytest.raises(BadModel, match="weights of net-symbol.json are missing"):
        imported(*write(text, None))
    dotted = {f"features.0.{name[4:]}": array for name, array in WEIGHTS.items()}
    with pytest.raises(BadModel, match="structured names"):
        imported(*write(text, params("v2", dotted)))
    other = {f"arg:x{index}": array for index, array in enumerate(WEIGHTS.values())}
    with pytest.raises(BadModel, match="no parameter of the .params file belongs to this symbol"):
        imported(*write(text, params("v2", other)))
    fewer = {name: array for name, array in WEIGHTS.items() if name != "arg:fc_weight"}
    with pytest.raises(BadModel, match="fc_weight") as caught:
        imported(*write(text, params("v2", fewer)), inputs=SHAPE)
    assert caught.value.where["node"] == "fc_weight"
    with pytest.raises(BadModel, match="cut off"):
        imported(*write(text, params("v2")[:-200]))
    with pytest.raises(Unsupported, match="MXNet 2"):
        imported(*write(text, b"PK\x03\x04" + bytes(100)))


def test_what_is_not_supported(write: Any, imported: Import) -> None:
    text = symbol("attrs", True)
    with pytest.raises(Unsupported, match="operator Custom") as caught:
        imported(*write(text.replace('"Flatten"', '"Custom"'), params("v2")), inputs=SHAPE)
    assert caught.value.where["node"] == "flat"
    with pytest.raises(Unsupported, match="attribute sparkle"):
        imported(*write(text.replace('"num_hidden"', '"sparkle": "1", "num_hidden"'), params("v2")), inputs=SHAPE)


def test_sizes_that_fit_nothing(write: Any, imported: Import) -> None:
    with pytest.raises(BadModel, match="does not fit"):
        imported(*write(symbol("attrs", True), params("v2")), inputs={"data": {"shape": [2, 3, 20, 20]}})
    with pytest.raises(BadModel, match="a window of 3 does not fit into 2"):
        imported(*write(symbol("attrs", True), params("v2")), inputs={"data": {"shape": [2, 3, 2, 9]}})
    model = imported(*write(symbol("attrs", True), params("v2")))
    assert list(model.contract.inputs[0].shape) == ["N", 3, 8, 8]
    with pytest.raises(BadModel, match="no input 'image'"):
        imported(*write(symbol("attrs", True), params("v2")), inputs={"image": {"shape": [2, 3, 8, 8]}})

"""The language, its files, archives; what is damaged or hostile."""

from __future__ import annotations

import io
import json
import random
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlpipe.errors import BadModel, Unsupported

from .conftest import HEAD, dat

X = "x = external<scalar>(shape = [1, 2, 4, 4]);"
W = np.random.default_rng(1).normal(0, 1, [3, 2, 3, 3]).astype(np.float32)
FRAGMENTS = """
extension KHR_enable_fragment_definitions, KHR_enable_operator_expressions;
fragment block(input: tensor<scalar>, times: integer, gain: scalar = 0.5)
-> (output: tensor<scalar>, twice: tensor<scalar>)
{
    factors = [for i in range_of([0] * times) if i > 0 yield gain * scalar(i)];
    values = [for f in factors yield input * f];
    output = add_n(values) if length_of(values) > 1 else relu(input);
    twice = output + output ^ 2.0;
}
graph net(x) -> (y, z)
{
    x = external<scalar>(shape = [1, 2, 4, 4]); # an input
    y, a = block(x, times = 4);
    (b, z) = block(a, times = 1, gain = 2.0);
}"""


def test_fragments_comprehensions_and_operators(nnef: Any) -> None:
    ran = nnef.run(nnef.source(FRAGMENTS))
    x = np.random.default_rng(0).normal(0, 1, [2, 1, 2, 4, 4]).astype(np.float32)
    y = x * np.float32(0.5 + 1 + 1.5)
    rectified = np.maximum(y + y**2, 0)
    np.testing.assert_allclose(ran.outputs["y"], y, rtol=1e-5)
    np.testing.assert_allclose(ran.outputs["z"], rectified + rectified**2, rtol=1e-4)
    assert ran.difference() < 1e-5


def test_integers_and_truths(nnef: Any) -> None:
    text = """graph g(t, i, l) -> (o, p)
{
    t = external<scalar>(shape = [4, 3]); i = external<integer>(shape = [5]); l = external<logical>(shape = [4, 3]);
    o = gather(t, i, axis = 0);
    p = select(l, t, 0.0);
}"""
    ran = nnef.run(nnef.source(text), {"i": np.asarray([[3, 0, 1, 1, 2], [0, 0, 3, 2, 1]])})
    assert [each["dtype"] for each in ran.contract["inputs"]] == ["float32", "int64", "bool"]
    assert ran.difference() == 0


def test_a_quantised_network(nnef: Any) -> None:
    """Stored weights stand for numbers; activations are rounded to the levels."""
    levels = np.random.default_rng(2).integers(0, 255, [3, 2, 3, 3]).astype(np.uint8)
    quantisation = "".join(
        f'"{name}": zero_point_linear_quantize(zero_point = {zero}, scale = {scale}, bits = 8, signed = false, '
        "symmetric = false);\n"
        for name, zero, scale in (("w", 128, 0.02), ("x", 100, 0.05))
    )
    text = f"graph g(x) -> (y) {{ {X} w = variable(shape = [3, 2, 3, 3], label = 'w'); y = conv(x, w); }}"
    source = nnef.source(text, {"w": dat(levels, kind=2)}, quantisation)
    ir = nnef.ir(source)
    contract = json.loads((ir / "contract.json").read_text())
    samples = nnef.samples(contract)
    plain = text.replace("variable", "variable<scalar>")
    real = (levels.astype(np.float32) - 128) * np.float32(0.02)
    x = np.load(samples / "samples.npz")["x"]
    rounded = (np.clip(np.round(x / np.float32(0.05)) + 100, 0, 255) - 100) * np.float32(0.05)
    wanted = nnef.run(nnef.source(plain, {"w": real}), {"x": rounded.astype(np.float32)})
    np.testing.assert_allclose(nnef.outputs(ir, samples)["y"], wanted.reference["y"], atol=1e-4)


@pytest.mark.parametrize("kind", ["tgz", "tar", "zip"])
def test_archives(nnef: Any, kind: str) -> None:
    """With a folder inside, and names that lead out of it: they are no part of the model."""
    text = f"{HEAD}graph g(x) -> (y) {{ {X} w = variable<scalar>(shape = [3, 2, 3, 3], label = 'w'); y = conv(x, w); }}"
    files = {"../evil.dat": b"x", "net/graph.nnef": text.encode(), "net/w.dat": dat(W)}
    folder = nnef.work.new_folder()
    if kind == "zip":
        with zipfile.ZipFile(folder / "m.nnef.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(folder / f"m.nnef.{kind}", "w:gz" if kind == "tgz" else "w") as packed:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                packed.addfile(member, io.BytesIO(data))
            link = tarfile.TarInfo("net/secret.dat")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            packed.addfile(link)
    assert nnef.run(folder, entry=f"m.nnef.{kind}").difference() < 1e-5


def test_free_dims_and_options(nnef: Any) -> None:
    body = "x = external<scalar>(shape = [S, 4]); y = softmax(x); z = relu(x);"
    text = f"{HEAD}extension tract_symbol S;\ngraph g(x) -> (y) {{ {body} }}"
    assert nnef.run(nnef.source(text)).contract["inputs"][0]["shape"] == ["S", 4]
    assert nnef.run(nnef.source(text), dims={"S": 2}, outputs=("z",)).outputs["z"].shape == (2, 2, 4)
    assert nnef.run(nnef.source(text), inputs={"x": {"shape": [5, 4]}}).outputs["y"].shape == (2, 5, 4)
    with pytest.raises(BadModel, match="no input 'q'"):
        nnef.ir(nnef.source(text), inputs={"q": {"shape": [1]}})
    with pytest.raises(BadModel, match="no tensor 'q'"):
        nnef.ir(nnef.source(text), outputs=("q",))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("y = relu(x)", "is due"),
        ("y = relu(q);", "'q' is read before"),
        ("y = relu(x); y = relu(x);", "assigned twice"),
        ("y = relu(x, alpha = 1.0);", "has no 'alpha'"),
        ("y = conv(x);", "not given its 'filter'"),
        ("y = teleport(x);", "teleport is no operation"),
        ("w = variable<scalar>(shape = [2], label = '../w'); y = x;", r"\.\./w\.dat is not there"),
        ("w = variable<scalar>(shape = [2], label = 'w'); y = x;", "holds the shape"),
        ("y = constant(shape = [100000, 100000], value = [0.0]);", "a constant of the shape"),
        ("y = " + "(" * 500 + "x" + ")" * 500 + ";", "less deep"),
        ("y = [0] * 99999999999;", "cannot be computed"),
        ("y = reshape(x, shape = [3, 5]);", "fit"),
        ("y = max_pool(x, size = [1, 1, 3]);", "a window of 3 dims"),
        ("y = avg_roi_pool(x, x, x, [1, 1]);", "does not convert"),
        ("a, y = max_pool_with_index(x, size = [1, 1, 2, 2]);", "index of a maximum"),
        ("y = §;", "does not know"),
        ("y = add_n([for i in range_of([0] * 30000) yield x * 2.0]);", "30000 tensors"),
        ("a = [0] * 90000; b = [for i in a yield [for j in a yield 1]]; y = x;", "more than any network"),
        ("y = add_n([for i in range_of([0] * 90000) yield x * 2.0]);", "more operations"),
    ],
)
def test_what_is_wrong_is_named(nnef: Any, body: str, message: str) -> None:
    source = nnef.source(f"graph g(x) -> (y) {{ {X} {body} }}", {"w": W})
    with pytest.raises((BadModel, Unsupported), match=message):
        nnef.ir(source)


def test_a_fragment_that_calls_itself(nnef: Any) -> None:
    fragment = "fragment f(x: tensor<scalar>) -> (y: tensor<scalar>) { y = f(f(x)); }"
    text = f"{fragment}\ngraph g(x) -> (y) {{ {X} y = f(x); }}"
    with pytest.raises(Unsupported, match="too deep"):
        nnef.ir(nnef.source(text))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (dat(W)[:-4], "holds"),
        (b"PK" + dat(W)[2:], "not an NNEF tensor"),
        (dat(W)[:8] + struct.pack("<I", 9) + dat(W)[12:], "9 dims"),
        (dat(W)[:12] + struct.pack("<I", 1 << 31) + dat(W)[16:], "declares"),
        (dat(W)[:44] + struct.pack("<II", 32, 0x10007) + dat(W)[52:], "vendor"),
        (dat(W, kind=77), "items of type"),
    ],
)
def test_damaged_tensors(nnef: Any, data: bytes, message: str) -> None:
    text = f"graph g(x) -> (y) {{ {X} w = variable<scalar>(shape = [3, 2, 3, 3], label = 'w'); y = conv(x, w); }}"
    with pytest.raises((BadModel, Unsupported), match=message):
        nnef.ir(nnef.source(text, {"w": data}))


def test_operators(nnef: Any) -> None:
    _, value = nnef.work(nnef.frontend.operators_call(), {})
    support = {name: each["support"] for name, each in value["operators"].items()}
    assert support["conv"] == "partial"
    assert support["relu"] == "full"
    assert support["avg_roi_pool"] == "none"


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), how=st.sampled_from(["cut", "flip", "splice", "number", "tensor", "quant"]))
def test_mutated_networks(nnef: Any, shared: Path, seed: int, how: str) -> None:
    """An import or a refusal comes out, and nothing else."""
    chance = random.Random(seed)
    folder = shared / "made/nnef/net17.nnef"
    text = bytearray((folder / "graph.nnef").read_bytes() if seed % 2 else f"{HEAD}{FRAGMENTS}".encode())
    quantisation = bytearray(b'"conv1": linear_quantize(min = -1.0, max = 1.0, bits = 8);\n')
    tensors = {path.stem: path.read_bytes() for path in folder.glob("*.dat")}
    target = quantisation if how == "quant" else text
    if how == "cut":
        del text[chance.randrange(len(text)) :]
    elif how == "splice":
        at, start = chance.randrange(len(text)), chance.randrange(len(text))
        text[at:at] = text[start : start + chance.randrange(80)]
    elif how == "number":
        places = [at for at, byte in enumerate(text) if chr(byte).isdigit()]
        at = chance.choice(places)
        text[at : at + 1] = chance.choice([b"0", b"7", b"-1", b"99999999999999999999", b"1e300", b"1000000"])
    elif how == "tensor":
        name = chance.choice(sorted(tensors))
        data = bytearray(tensors[name])
        data[chance.randrange(min(len(data), 140))] = chance.randrange(256)
        tensors[name] = bytes(data)
    else:
        for _ in range(chance.randrange(1, 4)):
            target[chance.randrange(len(target))] = chance.randrange(256)
    source = nnef.work.new_folder()
    (source / "graph.nnef").write_bytes(bytes(text))
    if how == "quant" and seed % 2:
        (source / "graph.quant").write_bytes(bytes(quantisation))
    for name, data in tensors.items():
        (source / f"{name}.dat").write_bytes(data)
    try:
        nnef.ir(source)
    except (BadModel, Unsupported) as error:
        assert error.message

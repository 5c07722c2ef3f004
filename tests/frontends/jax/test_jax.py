"""Exported functions and functions of the user's code: the import equals the original."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import BadModel, Unsupported
from dlpipe.frontends.jax import JaxFrontend

NETS = Path(__file__).with_name("nets.py")
SMALL = re.findall(r'^    "([\w-]+)": \(', NETS.read_text(), re.MULTILINE)  # the host cannot import it

Run = Callable[..., Any]


@pytest.mark.parametrize("name", SMALL)
def test_operators(ran: Run, made: Path, name: str) -> None:
    # XLA's CPU compiler computes half floats in single precision where it can.
    ran(made / f"small-{name}.jax").check(1e-3 if name == "halves" else 1e-5)


@pytest.mark.parametrize(
    ("name", "inputs", "outputs"),
    [
        ("cnn", {"x": [1, 16, 16, 3]}, {"output": [1, 5]}),
        ("lstm", {"x": [1, 7, 4]}, {"output_0": [1, 5], "output_1": [1, 7, 5]}),
        ("transformer", {"x": [1, 6]}, {"output": [1, 6, 11]}),
        ("mlp", {"x": [1, 6]}, {"norm": [1], "odds": [1, 3]}),
    ],
)
def test_exported_functions(ran: Run, made: Path, name: str, inputs: Any, outputs: Any) -> None:
    found = ran(made / f"{name}.jax")
    found.check()
    assert (found.shapes("inputs"), found.shapes("outputs")) == (inputs, outputs)


def test_a_polymorphic_batch_is_settled_by_hand(ran: Run, made: Path) -> None:
    found = ran(made / "mlp.jax", dims={"batch": 4}, outputs=("odds",))
    found.check()
    assert found.shapes("outputs") == {"odds": [4, 3]}


@pytest.mark.parametrize(
    ("name", "route", "batch"),
    [
        ("lstm", "jax2onnx", "N"),
        ("transformer", "jax2onnx", 1),  # its code holds the batch of 1
        ("mlp", "jax2onnx", "N"),
        ("mlp", "stablehlo", 1),
        ("cnn", "stablehlo", 1),
    ],
)
def test_functions_of_code(ran: Run, name: str, route: str, batch: Any) -> None:
    inputs = {"x": {"shape": [1, 6], "dtype": "float32"}} if name == "mlp" else {}
    found = ran(NETS, factory=f"nets:{name}", route=route, inputs=inputs)
    found.check()
    assert {shape[0] for shape in found.shapes("inputs").values()} == {batch}


def test_layers(work: Any) -> None:
    frontend, sniffed = JaxFrontend(), Sniffed("python/source", "jax", "nets.py")
    options, source = ImportOptions(factory="nets:cnn", route="stablehlo"), work.source(NETS)
    ir, _ = work(frontend.import_call(sniffed, options), {"source": source})
    samples = work.new_folder()
    np.savez(samples / "samples.npz", x=np.ones((1, 1, 16, 16, 3), np.float32))
    given_ = {"source": source, "imported": ir, "samples": samples}
    out, value = work(frontend.layers_call(sniffed, options), given_)
    assert value["layers"][0] == "conv_general_dilated"
    with np.load(out / "layers.npz") as file:
        assert file["0"].shape == (1, 8, 8, 8)


@pytest.mark.parametrize(
    ("file", "options", "kind", "message"),
    [
        ("untranslated.jax", {}, Unsupported, "complex<f32>"),
        ("nets.py", {}, Unsupported, "which function is the model"),
        ("nets.py", {"factory": "nets:broken"}, Unsupported, r"nets.py:\d+: ValueError: no such width"),
        ("nets.py", {"factory": "nets:mlp"}, Unsupported, "does not tell the shapes of its inputs x"),
        ("mlp.jax", {"inputs": {"y": {"shape": [1], "dtype": None}}}, Unsupported, "there is no input 'y'"),
        ("cut.jax", {}, BadModel, "cannot be read as an exported JAX function"),
    ],
)
def test_what_is_refused(work: Any, made: Path, file: str, options: Any, kind: type[Exception], message: str) -> None:
    (made / "cut.jax").write_bytes((made / "mlp.jax").read_bytes()[:200])
    source = work.source(NETS, *made.glob(file))
    form = "python/source" if file.endswith(".py") else "jax/export"
    with pytest.raises(kind, match=message):
        work(JaxFrontend().import_call(Sniffed(form, "jax", file), ImportOptions(**options)), {"source": source})


def test_operators_are_told_by_the_table_of_handlers(work: Any) -> None:
    _, value = work(JaxFrontend().operators_call(), {})
    operators = value["operators"]
    assert operators["stablehlo.dot_general"] == {"support": "full", "note": None}
    assert operators["stablehlo.scatter"]["support"] == "partial"
    assert operators["stablehlo.fft"]["support"] == "none"
    assert sum(each["support"] != "none" for each in operators.values()) > 60


def test_the_same_bytes_every_time(ran: Run, made: Path) -> None:
    first, second = (ran(made / "lstm.jax").ir for _ in range(2))
    assert (first / "model.onnx").read_bytes() == (second / "model.onnx").read_bytes()


def test_damaged_files(work: Any, made: Path) -> None:
    """Only clear refusals come out; a file that still reads may import."""
    whole = (made / "small-arguments.jax").read_bytes()
    source = work.source(made / "small-arguments.jax")
    call = JaxFrontend().import_call(Sniffed("jax/export", "jax", "small-arguments.jax"), ImportOptions())

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(st.integers(0, len(whole) - 1), st.integers(0, 255), st.integers(0, 40))
    def damage(place: int, byte: int, cut: int) -> None:
        data = bytearray(whole)
        data[place] = byte
        folder = work.source()
        (folder / source.joinpath("small-arguments.jax").name).write_bytes(data[: len(data) - cut])
        with contextlib.suppress(BadModel, Unsupported):
            work(call, {"source": folder})

    damage()

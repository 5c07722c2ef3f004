"""Operators of Theano's, each in a graph pickled by Theano, against Theano."""

from __future__ import annotations

import pickle
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dlpipe.errors import UserError
from dlpipe.toolchains import Toolchains

from .conftest import Import

pytestmark = pytest.mark.interpreter
TOLERANCE = 1e-5
SCRIPT = Path(__file__).with_name("graphs.py")
PICTURES = ("conv", "pool", "global")
NAMES = re.findall(r'^    "(\w+)": lambda', SCRIPT.read_text(), re.MULTILINE)


@pytest.fixture(scope="session")
def graphs(toolchains: Toolchains, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("theano-graphs")
    python = toolchains.ensure("theano").python
    assert python is not None
    subprocess.run([python, "-W", "ignore", SCRIPT, out], check=True, timeout=300, capture_output=True)
    return out


@pytest.mark.parametrize("name", [*NAMES, "embedding"])
def test_operators(graphs: Path, imported: Import, name: str) -> None:
    shape: list[Any] = ["N", 3, 8, 7] if name.startswith(PICTURES) else ["N", 4]
    model = imported(graphs / f"{name}.pkl", unsafe_load=True, inputs={"x": {"shape": shape}})
    assert model.worst(model.samples(model.random_inputs(N=3))) <= TOLERANCE


def test_an_output_alone(graphs: Path, imported: Import) -> None:
    model = imported(graphs / "alone.pkl", unsafe_load=True)
    assert [(port.name, port.shape) for port in model.contract.inputs] == [("rows", ("N", "rows_1"))]
    assert model.worst(model.samples(model.random_inputs(N=3, rows_1=4))) <= TOLERANCE


@pytest.mark.parametrize(("name", "op"), [("scan", "Scan"), ("assign", "IncSubtensor")])
def test_what_is_not_covered_is_named(graphs: Path, imported: Import, name: str, op: str) -> None:
    with pytest.raises(UserError, match=f"the operator {op} .* is not covered") as caught:
        imported(graphs / f"{name}.pkl")
    assert caught.value.where["op"] == op


class Evil:
    def __reduce__(self) -> Any:
        return print, ("executed",)


@pytest.mark.parametrize("value", [Evil(), [Evil()], {"param values": [Evil()]}])
def test_nothing_of_a_pickle_is_executed(tmp_path: Path, imported: Import, value: Any) -> None:
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps(value))
    with pytest.raises(UserError, match=r"names builtins\.print"):
        imported(path)

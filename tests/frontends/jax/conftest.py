"""Functions that JAX itself exported (making.py), and the whole way through the frontend."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.jax import JaxFrontend
from dlpipe.ir import calls
from dlpipe.toolchains import Toolchains
from tests.frontends.compared import Ran
from tests.frontends.imported import load

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def made(toolchains: Toolchains, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("jax-functions")
    python = toolchains.ensure("jax").python
    assert python is not None
    environ = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([python, HERE / "making.py", out], check=True, timeout=300, capture_output=True, env=environ)
    return out


@pytest.fixture
def ran(work: Any) -> Callable[..., Ran]:
    """ran(file, **ImportOptions): imported, fed, compared with nothing yet."""

    def ran(path: Path, **options: Any) -> Ran:
        form = "python/source" if path.suffix == ".py" else "jax/export"
        frontend, sniffed, chosen = JaxFrontend(), Sniffed(form, "jax", path.name), ImportOptions(**options)
        source = work.source(path)
        ir, _ = work(frontend.import_call(sniffed, chosen), {"source": source})
        notes = list(work.notes)
        samples, _ = work(calls.generate_call(3, 5, {}), {"ir": ir})
        given = {"source": source, "imported": ir, "samples": samples}
        reference, value = work(frontend.reference_call(sniffed, chosen), given)
        assert value["tool"].startswith("jax ")
        outputs, _ = work(calls.run_call(), {"ir": ir, "samples": samples})
        contract = json.loads((ir / "contract.json").read_text())
        return Ran(ir, contract, notes, load(reference / "outputs.npz"), load(outputs / "outputs.npz"))

    return ran

"""Models that PyTorch itself made (making.py), and the whole way through the frontend."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.pytorch import PyTorchFrontend
from dlpipe.ir import calls
from dlpipe.toolchains import Toolchains
from tests.frontends.compared import Ran
from tests.frontends.imported import load

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def made(toolchains: Toolchains, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pytorch-models")
    python = toolchains.ensure("pytorch").python
    assert python is not None
    subprocess.run([python, HERE / "making.py", out], check=True, timeout=300, capture_output=True)
    return out


@pytest.fixture
def ran(work: Any) -> Callable[..., Ran]:
    """ran(file, form, *other files, samples=, **ImportOptions): imported, fed, compared with nothing yet."""

    def ran(path: Path, form: str, *beside: Path, samples: dict[str, Any] | None = None, **options: Any) -> Ran:
        frontend, sniffed = PyTorchFrontend(), Sniffed(f"pytorch/{form}", "pytorch", path.name)
        chosen = ImportOptions(**options)
        source = work.source(path, *beside)
        ir, _ = work(frontend.import_call(sniffed, chosen), {"source": source})
        notes = list(work.notes)
        work(calls.check_call(), {"ir": ir})
        if samples is None:
            fed, _ = work(calls.generate_call(3, 5, {}), {"ir": ir})
        else:
            fed = work.new_folder()
            np.savez(fed / "samples.npz", allow_pickle=False, **samples)
        given = {"source": source, "imported": ir, "samples": fed}
        reference, value = work(frontend.reference_call(sniffed, chosen), given)
        assert value["tool"].startswith("torch ")
        assert value["kind"] == "original"
        outputs, _ = work(calls.run_call(), {"ir": ir, "samples": fed})
        contract = json.loads((ir / "contract.json").read_text())
        return Ran(ir, contract, notes, load(reference / "outputs.npz"), load(outputs / "outputs.npz"))

    return ran

"""MXNet's exporter on two stacked LSTM layers: it says nothing, dlpipe refuses it, names the layer, takes its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import GateFailed
from dlpipe.frontends.mxnet import EXPORTER, OWN, MxnetFrontend
from dlpipe.pipeline.proven import prove_import
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session
from dlpipe.toolchains import Toolchains

pytestmark = pytest.mark.interpreter


@pytest.fixture(scope="module")
def stacked(toolchains: Toolchains, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mxnet-stacked")
    python = toolchains.ensure("mxnet").python
    assert python is not None
    script = Path(__file__).with_name("stacked.py")
    subprocess.run([python, script, out], timeout=120, capture_output=True, check=True)
    return out / "stacked-symbol.json"


def _request(model: Path, route: str | None) -> ConvertRequest:
    options = ImportOptions(inputs={"data": {"shape": [2, 5]}}, route=route)
    return ConvertRequest(model=str(model), targets=(), options=options)


def test_it_is_refused_and_its_layer_named(session: Session, stacked: Path) -> None:
    with pytest.raises(GateFailed, match="from the layer net_lstm0_rnn0 on") as caught:
        prove_import(session, _request(stacked, EXPORTER))
    assert caught.value.where["max_rel"] > 0.1


def test_our_own_is_taken_instead(session: Session, stacked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the exporter were the preferred one."""

    def order(frontend: MxnetFrontend, sniffed: Sniffed) -> tuple[str, ...]:
        return (EXPORTER, OWN)

    monkeypatch.setattr(MxnetFrontend, "routes", order)
    proven = prove_import(session, _request(stacked, None))
    assert "net_lstm0_rnn0" in proven.refused[EXPORTER]
    assert proven.imported.options.route == OWN

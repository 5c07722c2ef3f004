"""An import is compared with the original; a wrong route is refused, its layer named, and the next one taken."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import BadModel, GateFailed, Unsupported, UserError
from dlpipe.frontends import KIT, registry
from dlpipe.pipeline.bisect.bisect import bisect
from dlpipe.pipeline.events import StageNote
from dlpipe.pipeline.imported import import_model
from dlpipe.pipeline.proven import prove_import
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session

_HASTY = """
import json
from pathlib import Path
import numpy as np
from dlpipe_worker import operation
from ..dlpipe_plainnet import worker

@operation
def import_(request):
    "A converter that does not know the bias of the layer called fc2, and says nothing."
    source = Path(request.inputs["source"], request.params["entry"])
    net = json.loads(source.read_bytes())
    for layer in net["layers"]:
        if layer["name"] == "fc2":
            layer["bias"] = [0.0] * len(layer["bias"])
        if layer["name"] == "roundings":
            weights = np.array(layer["weights"], np.float32)
            ends = np.where(np.random.default_rng(3).random(weights.shape) < 0.5, -np.inf, np.inf)
            layer["weights"] = np.nextafter(weights, ends.astype(np.float32)).tolist()
    worker._read = lambda request: net
    return worker.import_(request)
"""


@pytest.fixture
def plainnet(repo_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The example's frontend class, with a wrong converter as its preferred route."""
    monkeypatch.syspath_prepend(str(repo_root / "examples" / "dlpipe-plainnet"))
    import dlpipe_plainnet

    hasty = tmp_path / "hasty" / "worker.py"
    hasty.parent.mkdir()
    hasty.write_text(_HASTY)

    class Plainnet(dlpipe_plainnet.PlainnetFrontend):
        order = ("hasty", "own")

        def routes(self, sniffed: Sniffed) -> tuple[str, ...]:
            return self.order

        def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
            if options.route != "hasty":
                return super().import_call(sniffed, options)
            params = {"entry": sniffed.entry, "dims": {}}
            return Call("core", hasty, "import", params, libraries=(KIT, dlpipe_plainnet.WORKER.parent))

    made = Plainnet()
    monkeypatch.setattr(registry, "frontends", lambda: {"plainnet": made})
    monkeypatch.setattr("dlpipe.pipeline.imported.frontends", lambda: {"plainnet": made})
    yield made
    sys.modules.pop("dlpipe_plainnet", None)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    layers = [
        {
            "name": f"fc{number}",
            "weights": random.standard_normal((8, 8)).round(3).tolist(),
            "bias": random.standard_normal(8).round(3).tolist(),
            "relu": number < 3,
        }
        for number in (1, 2, 3)
    ]
    path = tmp_path / "net.plain"
    path.write_text(json.dumps({"plainnet": 1, "input": 8, "layers": layers}))
    return path


def _request(net: Path, **more: Any) -> ConvertRequest:
    return ConvertRequest(model=str(net), targets=(), **more)


def test_the_wrong_route_is_refused_and_the_next_one_taken(session: Session, plainnet: Any, net: Path) -> None:
    proven = prove_import(session, _request(net))
    assert proven.imported.options.route == "own"
    assert list(proven.refused) == ["hasty"]
    assert "(at fc2)" in proven.refused["hasty"]
    assert session.executor.outcomes["fidelity:import"].value["passed"]


def _cancelling(path: Path, last: str) -> Path:
    """A net that subtracts large numbers from nearly equal ones: a rounding of one becomes much of what is left. The
    hasty converter rounds some of the weights of `roundings` otherwise, and forgets the bias of a layer called fc2."""
    random = np.random.default_rng(1)
    large, eye = 1000 * random.standard_normal((8, 8)), np.eye(8)
    twice = np.concatenate([large, large + 0.3 * random.standard_normal((8, 8))], axis=1)
    layers = [
        {"name": "roundings", "weights": twice.tolist(), "bias": [0.0] * 16, "relu": False},
        {"name": last, "weights": np.concatenate([eye, -eye]).tolist(), "bias": [0.05] * 8, "relu": False},
    ]
    path.write_text(json.dumps({"plainnet": 1, "input": 8, "layers": layers}))
    return path


def test_an_original_that_roundings_move_is_held_to_no_more(session: Session, plainnet: Any, tmp_path: Path) -> None:
    plainnet.order = ("hasty",)
    proven = prove_import(session, _request(_cancelling(tmp_path / "net.plain", "fc3")))
    fidelity = session.executor.outcomes["fidelity:import"].value
    assert fidelity["passed"]
    assert fidelity["max_rel"] > fidelity["tolerance"]
    (output,) = proven.samples.unsteady
    assert fidelity["max_rel"] < 3 * proven.samples.unsteady[output] < 0.05
    assert proven.samples.emulated.resolution[output]["step"] > 0


def test_a_wrong_layer_shows_through_roundings(session: Session, plainnet: Any, tmp_path: Path) -> None:
    plainnet.order = ("hasty",)
    with pytest.raises(GateFailed, match="the import is wrong"):
        prove_import(session, _request(_cancelling(tmp_path / "net.plain", "fc2")))
    assert session.executor.outcomes["fidelity:nudged"].status == "ok"  # it was asked whether that are roundings


def test_insisting_on_a_wrong_route_fails_and_names_the_layer(session: Session, plainnet: Any, net: Path) -> None:
    with pytest.raises(GateFailed, match="from the layer fc2 on") as caught:
        prove_import(session, _request(net, options=ImportOptions(route="hasty")))
    assert caught.value.where["layer"] == "fc2"
    assert caught.value.where["agrees_until"] == "fc1"


def test_bisect_names_the_layer_too(session: Session, plainnet: Any, net: Path) -> None:
    hasty = ImportOptions(route="hasty")
    import_model(session, str(net), hasty)
    session.save_stages()
    found = bisect(session, str(net), f"{session.id}:import", options=hasty)
    assert found.found is not None
    assert (found.found["layer"], found.found["agrees_until"]) == ("fc2", "fc1")


def test_no_route_is_right(session: Session, plainnet: Any, net: Path) -> None:
    plainnet.order = ("hasty", "none")
    plainnet.import_call = lambda sniffed, options: (
        type(plainnet).import_call(plainnet, sniffed, options) if options.route == "hasty" else _refuse()
    )
    with pytest.raises(GateFailed, match="fc2") as caught:
        prove_import(session, _request(net))
    assert caught.value.where["other_routes"] == {"none": "not today"}


def _refuse() -> Call:
    raise Unsupported("not today")


def test_data_that_are_not_numbers_are_told_and_blamed(
    session: Session, plainnet: Any, net: Path, tmp_path: Path
) -> None:
    x = np.random.default_rng(2).standard_normal((5, 8)).astype(np.float32)
    x[2:4, 1] = np.nan
    np.savez(tmp_path / "d.npz", x=x)
    told: list[str] = []
    session.bus.subscribe(lambda event: told.append(event.message) if isinstance(event, StageNote) else None)
    plainnet.order = ("hasty",)
    with pytest.raises(UserError, match=r"2 of 5 samples hold values that are not numbers \(NaN\) in 'x'") as caught:
        prove_import(session, _request(net, data=str(tmp_path / "d.npz")))
    assert "leave these samples out" in (caught.value.hint or "")
    assert any("NaN" in line for line in told)
    session.executor.forget(list(session.executor.outcomes))
    plainnet.order = ("own",)
    prove_import(session, _request(net, data=str(tmp_path / "d.npz")))  # both take them for the same: some models do


def test_an_unknown_route(session: Session, plainnet: Any, net: Path) -> None:
    with pytest.raises(UserError, match="no route 'fast'") as caught:
        prove_import(session, _request(net, options=ImportOptions(route="fast")))
    assert caught.value.hint == "there are: hasty, own"


def test_golden_outputs_stand_for_the_original(session: Session, plainnet: Any, net: Path, tmp_path: Path) -> None:
    plainnet.order, plainnet.reference_call = (), lambda sniffed, options: None
    with pytest.raises(Unsupported, match="nothing here can execute") as caught:
        prove_import(session, _request(net))
    assert "--reference" in (caught.value.hint or "")
    session.executor.forget(list(session.executor.outcomes))
    x = np.random.default_rng(2).standard_normal((5, 8)).astype(np.float32)
    y = x
    for layer in json.loads(net.read_text())["layers"]:
        y = y @ np.array(layer["weights"], np.float32) + np.array(layer["bias"], np.float32)
        y = np.maximum(y, 0) if layer["relu"] else y
    np.savez(tmp_path / "io.npz", x=x, y=y)
    proven = prove_import(session, _request(net, reference=tmp_path / "io.npz"))
    assert (proven.samples.kind, proven.samples.count) == ("original", 1)
    session.executor.forget(list(session.executor.outcomes))
    np.savez(tmp_path / "io.npz", x=x, y=y + 1)
    with pytest.raises(GateFailed, match="the import is wrong"):
        prove_import(session, _request(net, reference=tmp_path / "io.npz"))


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ({"y": np.full((5, 3), np.nan, np.float32)}, "no finite number"),
        ({"x": np.zeros((0, 8), np.float32), "y": np.zeros((0, 3), np.float32)}, "is empty"),
        ({"x": np.full((5, 8), "one")}, "is <U3"),
        ({"y": np.zeros((5, 3), np.complex64)}, "is complex64"),
    ],
)
def test_golden_outputs_that_prove_nothing(
    session: Session, plainnet: Any, net: Path, tmp_path: Path, spoilt: dict[str, Any], said: str
) -> None:
    plainnet.order = ()
    width = len(json.loads(net.read_text())["layers"][-1]["bias"])
    good = {"x": np.zeros((5, 8), np.float32), "y": np.zeros((5, width), np.float32)}
    np.savez(tmp_path / "io.npz", **(good | spoilt))
    with pytest.raises(BadModel, match=said):
        prove_import(session, _request(net, reference=tmp_path / "io.npz"))


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"data": "no-such-clips"}, "there is no no-such-clips"),
        ({"data": ".", "train_data": "no-such-clips"}, "there is no no-such-clips"),
        ({"labels": Path("no-names.txt")}, "cannot read the labels"),
        ({"reference": Path("no-record.npz")}, "there is no no-record.npz"),
        ({"train_data": "."}, "--train-data goes with --data"),
    ],
)
def test_what_is_not_there_is_told_first(session: Session, named: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):  # and not that there is no such model, which takes longer to know
        prove_import(session, ConvertRequest("no-model.onnx", ("x86-64",), **named))

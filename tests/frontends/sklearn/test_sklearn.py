"""Classical models, made by the libraries themselves: converted, and equal to what the library says."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.errors import BadModel, Unsupported
from dlpipe.frontends.sklearn import LightgbmFrontend, SklearnFrontend, XgboostFrontend
from dlpipe.frontends.sniff import sniff_call
from dlpipe.ir import calls
from dlpipe.ir.contract import Contract
from dlpipe.toolchains import Toolchains

FRONTENDS: dict[str, Frontend] = {
    each.name: each for each in (SklearnFrontend(), XgboostFrontend(), LightgbmFrontend())
}
MADE = {
    "strings.skops": ["label", "probabilities"],
    "forest.skops": ["label", "probabilities"],
    "neighbours.skops": ["label", "probabilities"],
    "linear-svc.skops": ["label", "probabilities"],
    "regression.skops": ["variable"],
    "boosted.skops": ["variable"],
    "clusters.skops": ["label", "scores"],
    "outliers.skops": ["label", "scores"],
    "pca.skops": ["variable"],
    "reg-squarederror.json": ["variable"],
    "reg-logistic.json": ["variable"],
    "count-poisson.json": ["variable"],
    "reg-tweedie.json": ["variable"],
    "binary-logistic.json": ["label", "probabilities"],
    "multi-softprob.json": ["label", "probabilities"],
    "multi.ubj": ["label", "probabilities"],
    "binary.txt": ["label", "probabilities"],
    "multiclass.txt": ["label", "probabilities"],
    "regression.txt": ["variable"],
    "poisson.txt": ["variable"],
}
SHARED = {
    **{f"{name}.joblib": f"skl_{name}_io.npz" for name in ("lr", "mlp", "rf", "svc", "gbr")},
    "xgb.json": "xgb_booster_io.npz",
    "xgb.ubj": "xgb_booster_io.npz",
    "lgb.txt": "lgb_booster_io.npz",
}


@pytest.fixture(scope="session")
def made(toolchains: Toolchains, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("classical-models")
    python = toolchains.ensure("sklearn").python
    assert python is not None
    subprocess.run([python, Path(__file__).with_name("models.py"), out], check=True, timeout=300, capture_output=True)
    return out


class Imported:
    def __init__(self, work: Any, path: Path, **options: Any) -> None:
        self.work, self.source = work, work.source(path)
        _, value = work(sniff_call(path.name), {"source": self.source})
        self.sniffed = Sniffed(**{**value, "risks": tuple(value["risks"])})
        self.options = ImportOptions(**options)
        self.frontend = FRONTENDS[self.sniffed.framework]
        call = self.frontend.import_call(self.sniffed, self.options)
        self.ir, _ = work(call, {"source": self.source})
        self.contract = Contract.read(self.ir)

    def both(self, **inputs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """(what ONNX Runtime says of the import, what the library says of the original)."""
        samples = self.work.new_folder()
        np.savez(samples / "samples.npz", allow_pickle=False, **{name: each[None] for name, each in inputs.items()})
        out, _ = self.work(calls.run_call(), {"ir": self.ir, "samples": samples})
        given = {"source": self.source, "imported": self.ir, "samples": samples}
        reference, _ = self.work(self.frontend.reference_call(self.sniffed, self.options), given)
        return tuple(_load(folder / "outputs.npz") for folder in (out, reference))


def _check(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert list(found) == list(wanted)
    for name in wanted:
        assert (found[name].shape, found[name].dtype) == (wanted[name].shape, wanted[name].dtype)
        if wanted[name].dtype.kind in "iu":
            assert (found[name] == wanted[name]).mean() >= 0.999
        else:
            assert np.abs(found[name] - wanted[name]).max() <= 1e-4 * (np.ptp(wanted[name]) or 1)


@pytest.mark.parametrize(("file", "outputs"), MADE.items())
def test_made_models(work: Any, made: Path, file: str, outputs: list[str]) -> None:
    model = Imported(work, made / file)
    assert [port.name for port in model.contract.outputs] == outputs
    assert model.contract.inputs[0].shape == ("N", 5)
    x = np.random.default_rng(8).standard_normal((400, 5)).astype(np.float32)
    _check(*model.both(x=x))


@pytest.mark.parametrize(("file", "io"), SHARED.items())
def test_models_with_known_outputs(work: Any, shared: Path, file: str, io: str) -> None:
    model = Imported(work, shared / "made/skl" / file, unsafe_load=True)
    with np.load(shared / "made/skl" / io) as arrays:
        x, y = arrays["x"], arrays["y"]
    found, wanted = model.both(x=x)
    _check(found, wanted)
    scores = found[model.contract.outputs[-1].name][0]
    assert np.abs(scores.reshape(y.shape) - y).max() <= 1e-4 * np.ptp(y)


def test_names_of_classes_are_the_labels(work: Any, made: Path) -> None:
    model = Imported(work, made / "strings.skops")
    assert model.contract.labels == ("high", "low", "mid")
    assert model.contract.outputs[0].dtype == "int64"


def test_the_batch_can_be_fixed(work: Any, made: Path) -> None:
    model = Imported(work, made / "binary-logistic.json", dims={"N": 2})
    assert [port.shape for port in (*model.contract.inputs, *model.contract.outputs)] == [(2, 5), (2,), (2, 2)]


def test_a_table_with_text(work: Any, made: Path) -> None:
    with pytest.raises(BadModel, match="named columns"):
        Imported(work, made / "table.skops")
    columns = {"age": {"shape": [1, 1], "dtype": "float32"}, "city": {"shape": [1, 1], "dtype": "str"}}
    model = Imported(work, made / "table.skops", inputs=columns)
    ages = np.linspace(-2, 2, 6, dtype=np.float32)[:, None]
    cities = np.array(["Ulm", "Rom", "Köln"] * 2)[:, None]
    _check(*model.both(age=ages, city=cities))


def test_pickles_want_the_users_word(work: Any, made: Path) -> None:
    with pytest.raises(Unsupported, match="executes the code") as caught:
        Imported(work, made / "forest.joblib")
    assert "--unsafe-load" in (caught.value.hint or "")
    Imported(work, made / "forest.joblib", unsafe_load=True)


@pytest.mark.parametrize("frontend", FRONTENDS.values(), ids=FRONTENDS)
@pytest.mark.parametrize("form", ["unknown", "pytorch/module", "theano/pickle", "sklearn/joblib"])
def test_a_forced_pickle_wants_the_users_word_too(frontend: Frontend, form: str) -> None:
    sniffed = Sniffed(framework="unknown", format=form, entry="model.pkl")
    for call in (frontend.import_call, frontend.reference_call, frontend.timing_call):
        with pytest.raises(Unsupported, match="executes the code"):
            call(sniffed, ImportOptions())


def test_columns_that_do_not_add_up(work: Any, made: Path) -> None:
    with pytest.raises(BadModel, match="2 columns.*takes 5"):
        Imported(work, made / "binary-logistic.json", inputs={"x": {"shape": [1, 2], "dtype": "float32"}})


@pytest.mark.parametrize("file", ["forest.skops", "multi.ubj", "binary.txt"])
def test_the_same_bytes_every_time(work: Any, made: Path, file: str) -> None:
    first, second = (Imported(work, made / file).ir / "model.onnx" for _ in range(2))
    assert first != second
    assert first.read_bytes() == second.read_bytes()


def test_a_foreign_type_is_named(work: Any, made: Path) -> None:
    with pytest.raises(Unsupported, match="Mine"):
        Imported(work, made / "mine.skops")


def test_what_is_not_covered_is_named(work: Any, made: Path) -> None:
    with pytest.raises(Unsupported, match="gblinear"):
        Imported(work, made / "gblinear.json")


@pytest.mark.parametrize("file", ["forest.skops", "multi.ubj", "binary.txt", "binary-logistic.json"])
def test_half_a_file(work: Any, made: Path, tmp_path: Path, file: str) -> None:
    data = (made / file).read_bytes()
    half = tmp_path / file
    half.write_bytes(data[: len(data) // 2])
    with pytest.raises((BadModel, Unsupported, KeyError)):
        Imported(work, half)


@pytest.mark.parametrize("framework", FRONTENDS)
def test_coverage(work: Any, framework: str) -> None:
    _, value = work(FRONTENDS[framework].operators_call(), {})
    assert sum(each["support"] == "full" for each in value["operators"].values()) >= 4
    if framework == "sklearn":
        assert value["operators"]["RandomForestClassifier"]["support"] == "full"


def _load(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)

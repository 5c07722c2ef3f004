"""Saved pipelines: read without Spark, and equal to what Spark itself said; its other converter's mistake refused."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import BadModel, GateFailed, Unsupported
from dlpipe.frontends.sniff import sniff_call
from dlpipe.frontends.spark import SparkFrontend
from dlpipe.ir import calls
from dlpipe.ir.contract import Contract
from dlpipe.pipeline.proven import prove_import
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session
from dlpipe.toolchains import Toolchains

FRONTEND = SparkFrontend()
SHARED = ("gbt", "linreg", "lr", "rf")
MADE = (
    *("standard", "min-max", "max-abs", "robust", "normalizer", "pca", "product", "slicer", "binarizer", "bucketizer"),
    *("imputer", "texts", "multinomial", "svc", "tree", "boosted", "perceptron", "gaussian", "multinomial-bayes"),
    *("k-means", "tree-regression", "forest-regression", "poisson", "numbered", "categories", "categories-forest"),
    *("categories-boosted", "unknown-kept", "unknown-dropped", "polynomial", "cosines", "cosines-back", "frequency"),
    *("mixture", "isotonic", "factors", "factors-of-two", "one-vs-rest", "survival"),
)


class Imported:
    def __init__(self, work: Any, path: Path, **options: Any) -> None:
        self.work, self.source = work, work.source(path)
        sniffed = Sniffed("spark/pipeline", "spark", ".")
        self.ir, _ = work(FRONTEND.import_call(sniffed, ImportOptions(**options)), {"source": self.source})
        self.contract = Contract.read(self.ir)

    def run(self, columns: dict[str, Any]) -> dict[str, Any]:
        samples = self.work.new_folder()
        given = {port.name: columns[port.name][None] for port in self.contract.inputs}
        np.savez(samples / "samples.npz", allow_pickle=False, **given)
        out, _ = self.work(calls.run_call(), {"ir": self.ir, "samples": samples})
        with np.load(out / "outputs.npz") as file:
            return {name: array[0] for name, array in file.items()}


def _near(found: Any, wanted: Any) -> None:
    wanted = np.reshape(wanted, found.shape)
    assert np.abs(found - wanted).max() <= 1e-4 * (np.ptp(wanted) or 1)


@pytest.fixture(scope="session")
def made(toolchains: Toolchains, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("spark-pipelines")
    python = toolchains.ensure("spark").python
    assert python is not None
    subprocess.run([python, Path(__file__).with_name("models.py"), out], check=True, timeout=800, capture_output=True)
    return out


@pytest.mark.parametrize("name", SHARED)
def test_answers_of_spark_itself(work: Any, shared: Path, name: str) -> None:
    model = Imported(work, shared / f"made/spark/{name}_pipeline")
    with np.load(shared / f"made/spark/{name}_io.npz") as file:
        x, wanted = file["x"], {key: file[key] for key in file.files if key != "x"}
    found = model.run({column: x[:, [index]] for index, column in enumerate("abcd")})
    assert sorted(found) == sorted(wanted)
    for key, each in wanted.items():
        _near(found[key], each)


def test_texts_are_indexed(work: Any, shared: Path) -> None:
    model = Imported(work, shared / "made/spark/strlr_pipeline")
    assert {port.name: port.dtype for port in model.contract.inputs}["s"] == "str"
    assert model.contract.metadata["choices"] == {"s": ["p", "q"]}


def test_a_pipeline_that_python_saved_is_one(work: Any, shared: Path, tmp_path: Path) -> None:
    """So pyspark writes what holds a stage of its own, such as OneVsRest."""
    shutil.copytree(shared / "made/spark/lr_pipeline", tmp_path / "p")
    (meta,) = (tmp_path / "p").glob("metadata/part-*")
    meta.chmod(0o644)
    meta.write_text(meta.read_text().replace("org.apache.spark.ml.PipelineModel", "pyspark.ml.pipeline.PipelineModel"))
    assert work(sniff_call("."), {"source": work.source(tmp_path / "p")})[1]["format"] == "spark/pipeline"


@pytest.mark.slow
@pytest.mark.parametrize("name", MADE)
def test_stages(work: Any, made: Path, name: str) -> None:
    model = Imported(work, made / name)
    with np.load(made / name / "io.npz") as file:
        found, wanted = model.run(dict(file)), file["y"]
    _near(found["prediction"] if "prediction" in found else next(iter(found.values())), wanted)


@pytest.mark.slow
def test_the_wrong_route_is_refused_and_names_the_stage(session: Session, shared: Path) -> None:
    """onnxmltools ends a GBTRegressor with a classifier's ArgMax, and says nothing."""
    path = str(shared / "made/spark/gbt_pipeline")
    with pytest.raises(GateFailed, match="the import is wrong") as caught:
        prove_import(session, ConvertRequest(path, (), options=ImportOptions(route="onnxmltools")))
    assert "GBTRegressor" in caught.value.where["layer"]
    session.executor.forget(list(session.executor.outcomes))
    proven = prove_import(session, ConvertRequest(path, ()))
    assert (proven.imported.options.route, proven.samples.kind) == ("own", "original")


def test_what_is_not_whole_is_refused(work: Any, shared: Path, tmp_path: Path) -> None:
    whole = shared / "made/spark/rf_pipeline"
    for pattern, says in (
        ("stages/2_*/data", "parameters in"),
        ("stages/1_*", "not in the folder"),
        ("metadata", "no metadata"),
    ):
        broken = tmp_path / says.replace(" ", "-")
        shutil.copytree(whole, broken)
        for path in (broken, *broken.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        for path in broken.glob(pattern):
            shutil.rmtree(path)
        with pytest.raises(BadModel, match=says):
            Imported(work, broken)


def test_damaged_parameters(work: Any, shared: Path, tmp_path: Path) -> None:
    """Bytes changed at places all over the files: an import, or a refusal that says why."""
    random = np.random.default_rng(9)
    for number in range(24):
        broken = tmp_path / f"damaged-{number}"
        shutil.copytree(shared / "made/spark/rf_pipeline", broken)
        files = [
            path for path in sorted(broken.rglob("*")) if path.suffix == ".parquet" or path.name.startswith("part-")
        ]
        target = files[number % len(files)]
        target.chmod(0o644)
        data = bytearray(target.read_bytes())
        for _ in range(int(random.integers(1, 6))):
            data[int(random.integers(len(data)))] = int(random.integers(256))
        target.write_bytes(bytes(data[: int(random.integers(1, len(data) + 1))] if number % 3 == 0 else data))
        try:
            Imported(work, broken)
        except (BadModel, Unsupported) as error:
            assert len(error.message) > 10


def test_an_unknown_stage_is_named(work: Any, shared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "p"
    shutil.copytree(shared / "made/spark/lr_pipeline", folder)
    (meta,) = folder.glob("stages/1_*/metadata/part-*")
    meta.chmod(0o644)
    meta.write_text(meta.read_text().replace("StandardScalerModel", "NGram"))
    with pytest.raises(Unsupported, match="NGram"):
        Imported(work, folder)

"""The pipeline as it was saved, run by Spark itself, on this machine's processors alone."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request

from ..kit import executing
from . import reading


@cache
def session() -> Any:
    """Raises Refused where there is no Java."""
    if shutil.which("java") is None:
        raise Refused(
            "Spark needs Java, and there is none on this machine",
            kind="unsupported",
            hint="install Java 17 or newer (Debian: openjdk-17-jre-headless)",
        )
    from pyspark.sql import SparkSession

    scratch = tempfile.mkdtemp(prefix="spark-")
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ.setdefault("SPARK_LOCAL_HOSTNAME", "localhost")
    builder = SparkSession.builder.master("local[1]").appName("dlpipe")
    for name, value in {
        "spark.ui.enabled": "false",
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "1",
        "spark.local.dir": scratch,
        "spark.sql.warehouse.dir": scratch,
        "spark.driver.extraJavaOptions": f"-Djava.io.tmpdir={scratch} -Duser.home={scratch}",
    }.items():
        builder = builder.config(name, value)
    made = builder.getOrCreate()
    made.sparkContext.setLogLevel("ERROR")
    return made


class Pipeline(executing.Model):
    def __init__(self, folder: Path, contract: Mapping[str, Any]) -> None:
        from pyspark import __version__
        from pyspark.ml import PipelineModel

        self.tool = f"spark {__version__}"
        self.inputs, self.outputs = contract["inputs"], contract["outputs"]
        self.session = session()
        stages, _ = reading.load(folder)
        try:
            if len(stages) == 1 and not (folder / "stages").is_dir():
                from pyspark.ml.util import DefaultParamsReader

                # A stage alone: its class is known by name, and only Spark's own are taken.
                about = DefaultParamsReader.loadMetadata(str(folder), self.session)
                self.model = DefaultParamsReader.loadParamsInstance(str(folder), self.session) if about else None
            else:
                self.model = PipelineModel.load(str(folder))
        except Exception as error:  # Py4J has no common base for what Java throws
            raise Refused(f"{self.tool} cannot load the pipeline: {_first(error)}") from error

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        from pyspark.ml.linalg import Vectors

        rows = len(next(iter(feeds.values())))
        columns = []
        for port in self.inputs:
            values = feeds[port["name"]]
            if port["dtype"] == "str":
                columns.append([str(each) for each in values.ravel()])
            elif port["shape"][-1] == 1:
                columns.append([float(each) for each in values.ravel()])
            else:
                columns.append([Vectors.dense([float(x) for x in row]) for row in values])
        table = self.session.createDataFrame(list(zip(*columns, strict=True)), [port["name"] for port in self.inputs])
        try:
            collected = self.model.transform(table).select([port["name"] for port in self.outputs]).collect()
        except Exception as error:  # as above
            raise Refused(f"{self.tool} cannot run the pipeline: {_first(error)}") from error
        if len(collected) != rows:
            raise Refused(f"the pipeline gives {len(collected)} rows for {rows}", kind="unsupported")
        found = {}
        for index, port in enumerate(self.outputs):
            values = [row[index] for row in collected]
            wide = len(port["shape"]) > 1
            found[port["name"]] = np.array([each.toArray() for each in values] if wide else values, np.float64)
        return found


def _first(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "Exception" in line or "Error" in line), (lines or [type(error).__name__])[0])[:300]


def open_model(request: Request, contract: Mapping[str, Any], _threads: int | None) -> Pipeline:
    return Pipeline(Path(request.inputs["source"], request.params["entry"]), contract)

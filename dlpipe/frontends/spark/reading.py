"""A saved Spark ML pipeline, read without Spark: JSON metadata, and parameters in Parquet.

The layout is that of Spark's DefaultParamsWriter: `metadata/part-00000` (one line of JSON), `data/*.parquet`, and
`stages/<index>_<uid>` in a pipeline.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from dlpipe_worker import Refused
from numpy.typing import NDArray

Array = NDArray[np.float64]

MAX_ROWS = 10_000_000  # of one stage's parameters: the nodes of its trees
_PIPELINE = "PipelineModel"


@dataclass(frozen=True)
class SavedStage:
    """One fitted stage. `kind`: the class without its package, e.g. "StandardScalerModel"."""

    kind: str
    uid: str
    path: Path
    params: Mapping[str, Any]
    about: Mapping[str, Any]

    def param(self, name: str, default: Any = None) -> Any:
        return self.params.get(name, default)

    def text(self, name: str) -> str:
        value = self.params.get(name)
        if not isinstance(value, str):
            raise Refused(f"the stage lacks the parameter {name}", node=self.uid, op=self.kind)
        return value

    def columns(self, one: str, many: str) -> list[str]:
        """Of a stage that may work on one column or on several."""
        found = self.params.get(many) or [self.params.get(one)]
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise Refused(f"the stage names no {one}", node=self.uid, op=self.kind)
        return found

    def rows(self, folder: str = "data") -> list[dict[str, Any]]:
        """The stage's fitted parameters."""
        return read_rows(self.path / folder)

    def row(self) -> dict[str, Any]:
        rows = self.rows()
        if len(rows) != 1:
            raise Refused(f"one row of parameters is expected, and {len(rows)} are there", node=self.uid, op=self.kind)
        return rows[0]

    def refuse(self, what: str) -> Refused:
        return Refused(f"{self.kind}: {what}", kind="unsupported", node=self.uid, op=self.kind)


def load(folder: Path) -> tuple[list[SavedStage], str | None]:
    """(the stages in order, the version of Spark). Raises Refused for what is damaged or was never fitted."""
    about = _metadata(folder)
    if _kind(about) != _PIPELINE:
        return [_stage(folder, about)], about.get("sparkVersion")
    order = (about.get("paramMap") or {}).get("stageUids")
    if not isinstance(order, list) or not order:
        raise Refused("the pipeline names no stages")
    places = {path.name.partition("_")[2]: path for path in sorted((folder / "stages").glob("*_*")) if path.is_dir()}
    missing = [uid for uid in order if uid not in places]
    if missing:
        raise Refused(
            f"the stage {missing[0]} is not in the folder", hint="is the copy complete?", node=str(missing[0])
        )
    found = []
    for uid in order:
        inner, _ = load(places[uid]) if _kind(_metadata(places[uid])) == _PIPELINE else ([], None)
        found += inner or [_stage(places[uid], _metadata(places[uid]))]
    return found, about.get("sparkVersion")


def _metadata(folder: Path) -> dict[str, Any]:
    parts = sorted((folder / "metadata").glob("part-*"))
    try:
        found = json.loads(parts[0].read_text(encoding="utf-8").splitlines()[0])
    except (IndexError, OSError, ValueError, RecursionError) as error:
        raise Refused(f"{folder.name} has no metadata that can be read", hint="is the copy complete?") from error
    if not isinstance(found, dict) or not isinstance(found.get("class"), str):
        raise Refused(f"the metadata of {folder.name} names no class")
    return found


def _kind(about: Mapping[str, Any]) -> str:
    return str(about["class"]).rpartition(".")[2]


def _stage(folder: Path, about: Mapping[str, Any]) -> SavedStage:
    params = {**(about.get("defaultParamMap") or {}), **(about.get("paramMap") or {})}
    return SavedStage(_kind(about), str(about.get("uid")), folder, params, about)


def read_rows(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise Refused(
            f"the parameters in {folder.parent.name}/{folder.name} are not there", hint="is the copy complete?"
        )
    rows: list[dict[str, Any]] = []
    for file in files:
        try:
            opened = pyarrow.parquet.ParquetFile(file)
            if len(rows) + opened.metadata.num_rows > MAX_ROWS:
                raise Refused(f"{folder.parent.name} holds more than {MAX_ROWS:,} rows")
            rows += opened.read().to_pylist()
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            raise Refused(f"{file.name} is damaged: {str(error).splitlines()[0]}") from error
    return rows


def vector(value: Any) -> Array:
    """Spark's vector, dense or sparse -> [size]."""
    try:
        if value["type"] == 1:
            return np.array(value["values"], np.float64)
        found = np.zeros(_size(value["size"]))
        found[np.array(value["indices"], np.int64)] = value["values"]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise Refused(f"a vector of the parameters is damaged: {error!r}") from error
    return found


def matrix(value: Any) -> Array:
    """Spark's matrix, dense or sparse -> [rows, columns]."""
    try:
        rows, columns, across = _size(value["numRows"]), _size(value["numCols"]), bool(value["isTransposed"])
        if value["type"] == 1:
            values = np.array(value["values"], np.float64)
            return values.reshape(rows, columns) if across else values.reshape(columns, rows).T
        found = np.zeros((rows, columns))
        starts = value["colPtrs"]
        for major, (start, end) in enumerate(pairwise(starts)):
            minor = np.array(value["rowIndices"][start:end], np.int64)
            places = (major, minor) if across else (minor, major)
            found[places] = value["values"][start:end]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise Refused(f"a matrix of the parameters is damaged: {error!r}") from error
    return found


def _size(value: Any) -> int:
    size = int(value)
    if not 0 <= size <= 10_000_000:
        raise ValueError(f"a size of {size}")
    return size

"""Spark MLlib: saved PipelineModels, and single fitted stages.

Read by dlpipe's own converter, without Spark (metadata and Parquet). Every column that no stage makes is an input of
its own, [N, 1] unless a stage wants a vector or --input says so; outputs are `prediction` and `probability` of the last
predictor. Spark itself runs the original, in a Java of the toolchain's own. onnxmltools is the second route
(`--route onnxmltools`): it finishes with wrong numbers for GBTRegressor, and is then refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends import inputs_of
from dlpipe.frontends.room import RoomFrontend

ROUTES = ("own", "onnxmltools")


class SparkFrontend(RoomFrontend):
    name = "spark"
    formats = ("spark/pipeline",)
    toolchain = "spark"
    room = Path(__file__).parent

    def routes(self, sniffed: Sniffed) -> tuple[str, ...]:
        del sniffed
        return ROUTES

    def common(self, sniffed: Sniffed, options: ImportOptions) -> dict[str, Any]:
        del options
        return {"entry": sniffed.entry}

    def of_import(self, sniffed: Sniffed, options: ImportOptions) -> dict[str, Any]:
        del sniffed
        route = options.route or ROUTES[0]
        return {"inputs": inputs_of(options), "dims": dict(options.dims), "route": route}

"""Spark MLlib: saved PipelineModels, and single fitted stages.

Read by dlpipe's own converter, without Spark (metadata and Parquet). Every column that no stage makes is an input of
its own, [N, 1] unless a stage wants a vector or --input says so; outputs are `prediction` and `probability` of the last
predictor. Spark itself runs the original, in a Java of the toolchain's own. onnxmltools is the second route
(`--route onnxmltools`): it finishes with wrong numbers for GBTRegressor, and is then refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.frontends import KIT

WORKER = Path(__file__).with_name("worker.py")
ROUTES = ("own", "onnxmltools")


class SparkFrontend(Frontend):
    """See `worker.py` for what each operation reads and writes."""

    name = "spark"
    formats = ("spark/pipeline",)
    toolchain = "spark"

    def routes(self, sniffed: Sniffed) -> tuple[str, ...]:
        del sniffed
        return ROUTES

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        inputs = {name: dict(each) for name, each in options.inputs.items()}
        route = options.route or ROUTES[0]
        return self._call("import", entry=sniffed.entry, inputs=inputs, dims=dict(options.dims), route=route)

    def reference_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._call("reference", entry=sniffed.entry)

    def layers_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._call("layers", entry=sniffed.entry)

    def timing_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._call("time", entry=sniffed.entry, threads=1)

    def operators_call(self) -> Call:
        return self._call("operators")

    def _call(self, operation: str, **params: Any) -> Call:
        return Call(
            self.toolchain,
            WORKER,
            operation,
            params,
            libraries=(KIT,),
            stage_class="hardware" if operation == "time" else "deterministic",
        )

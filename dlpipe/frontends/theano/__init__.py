"""Theano and Lasagne: lists of parameters with a description of the layers beside them, and pickled graphs.

A list of parameters (`.npz` or pickle, as `lasagne.layers.get_all_param_values` gives it) does not say which layers it
belongs to: that stands in `x.layers.json` or `x.layers.toml` beside it (`description.py` says how). A pickled graph is
`(inputs, outputs)`, or a compiled function, whose graph is taken as it was before Theano optimised it.

Pickles are read without executing anything that they name; Theano is not needed to import. To run the original of a
pickled graph, Theano itself must unpickle it, which executes code of the file's choice: only with `--unsafe-load`.
Networks of Lasagne's are built anew of Theano's operators, so the reference counts as independent.

Limits: no scans (recurrent nets), no random numbers, no assignments to parts of a tensor.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call, StageClass
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.frontends import KIT

WORKER = Path(__file__).with_name("worker.py")
EXECUTOR = Path(__file__).with_name("executor.py")


class TheanoFrontend(Frontend):
    """See `worker.py` and `executor.py` for what each operation reads and writes."""

    name = "theano"
    formats = ("theano/pickle", "lasagne/npz")
    toolchain = "core"

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        params = {
            "entry": sniffed.entry,
            "inputs": {name: dict(each) for name, each in options.inputs.items()},
            "outputs": list(options.outputs),
            "dims": dict(options.dims),
        }
        return Call(self.toolchain, WORKER, "import", params, libraries=(KIT,))

    def reference_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._execute("reference", sniffed, options)

    def layers_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._execute("layers", sniffed, options)

    def timing_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._execute("time", sniffed, options, "hardware", threads=1)

    def operators_call(self) -> Call:
        return Call(self.toolchain, WORKER, "operators", libraries=(KIT,))

    def _execute(
        self,
        operation: str,
        sniffed: Sniffed,
        options: ImportOptions,
        stage_class: StageClass = "deterministic",
        **params: Any,
    ) -> Call:
        params = {"entry": sniffed.entry, "unsafe_load": options.unsafe_load, **params}
        return Call("theano", EXECUTOR, operation, params, libraries=(KIT,), stage_class=stage_class)

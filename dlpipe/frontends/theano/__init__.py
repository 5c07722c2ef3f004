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

from dataclasses import replace
from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.room import ParsedFrontend


class TheanoFrontend(ParsedFrontend):
    name = "theano"
    formats = ("theano/pickle", "lasagne/npz")
    toolchain = "core"
    room = Path(__file__).parent

    def of_original(self, options: ImportOptions) -> dict[str, Any]:
        return {"unsafe_load": options.unsafe_load}

    def runs(self, call: Call, sniffed: Sniffed) -> Call:
        return replace(super().runs(call, sniffed), toolchain="theano")

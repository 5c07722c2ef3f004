"""Keras 1, 2 and 3: `.h5`, `.keras`, and an architecture (JSON, YAML) with its weights (HDF5) beside it.

A file is loaded by the Keras that it was written for: Keras 3, or tf_keras (the last Keras 2) for files of Keras 2, and
of Keras 1 after its configuration was translated. That matters: Keras 3 loads many files of Keras 2 and gives other
numbers for some (its hard_sigmoid is another function). Files written on the Theano backend get their convolution
kernels turned round, and Theano's own padding. The other loaders are there as routes ("keras-3", "tf-keras").

Such a file is executed by Keras 2.3 on Theano itself, where the sniffer saw what it is.

Limits: Lambda layers and other code in the file only with `--unsafe-load`; classes of the author's own cannot be
loaded at all (their code is not in the file); lookups of strings are refused; a stateful recurrent net starts every
sample from zero state.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends import KIT, inputs_of
from dlpipe.frontends.room import RoomFrontend

TENSORFLOW = Path(__file__).parents[1] / "tensorflow"
OPSET = 18  # tf2onnx refuses a newer one
ROUTES = ("matched", "tf-keras", "keras-3")
KERNELS = ("theano-kernels", "tensorflow-kernels")  # the user says what a file of Keras 1 does not


class KerasFrontend(RoomFrontend):
    name = "keras"
    formats = ("keras/hdf5", "keras/zip", "keras/json")
    toolchain = "keras"
    room = Path(__file__).parent
    libraries = (KIT, TENSORFLOW)

    def routes(self, sniffed: Sniffed) -> tuple[str, ...]:
        """ "matched": the Keras that the file was written for, with corrections for the backend it was written on."""
        del sniffed
        return ROUTES

    def asked_routes(self, sniffed: Sniffed) -> tuple[str, ...]:
        """For a file of Keras 1, which does not say on which backend its kernels were trained."""
        del sniffed
        return KERNELS

    def common(self, sniffed: Sniffed, options: ImportOptions) -> dict[str, Any]:
        route = options.route if options.route in KERNELS else ROUTES[0]  # of the original; an import has its own
        inputs = inputs_of(options)
        return {"entry": sniffed.entry, "inputs": inputs, "unsafe_load": options.unsafe_load, "route": route}

    def of_import(self, sniffed: Sniffed, options: ImportOptions) -> dict[str, Any]:
        del sniffed
        settled = {"outputs": list(options.outputs), "dims": dict(options.dims)}
        return {**settled, "opset": OPSET, "route": options.route or ROUTES[0]}

    def runs(self, call: Call, sniffed: Sniffed) -> Call:
        if "theano" not in (sniffed.version or ""):
            return call
        return replace(call, toolchain="theano", worker=self.room / "executor.py", libraries=(KIT,))

"""Kaldi nnet3: `final.mdl` or `.raw`, text and binary, read by dlpipe's own parser.

Like `nnet3-compute`, the ONNX model takes a matrix of features [T, dim], repeats its first and last frame where context
reaches beyond them, and gives a row for every frame; chain models give every n-th, by `frame_subsampling_factor` beside
the model. A network that pools over the utterance (x-vectors) gives one row. Transition model and priors stay in Kaldi.

Kaldi itself is on no package index: originals are evaluated by an interpreter of ours (kind "own"), so give outputs of
Kaldi's with `--reference io.npz` to have an import proven.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.frontends import KIT

WORKER = Path(__file__).with_name("worker.py")


class KaldiFrontend(Frontend):
    """See `worker.py` for what each operation reads and writes."""

    name = "kaldi"
    formats = ("kaldi/nnet3",)
    toolchain = "core"

    def import_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        return self._call("import", entry=sniffed.entry, dims=dict(options.dims))

    def reference_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._call("reference", entry=sniffed.entry)

    def layers_call(self, sniffed: Sniffed, options: ImportOptions) -> Call:
        del options
        return self._call("layers", entry=sniffed.entry)

    def timing_call(self, sniffed: Sniffed, options: ImportOptions) -> Call | None:
        """An interpreter's speed says nothing of Kaldi's."""
        del sniffed, options
        return None

    def operators_call(self) -> Call:
        return self._call("operators")

    def _call(self, operation: str, **params: Any) -> Call:
        return Call(self.toolchain, WORKER, operation, params, libraries=(KIT,))

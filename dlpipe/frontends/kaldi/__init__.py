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

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.room import RoomFrontend


class KaldiFrontend(RoomFrontend):
    name = "kaldi"
    formats = ("kaldi/nnet3",)
    toolchain = "core"
    room = Path(__file__).parent

    def timing_call(self, sniffed: Sniffed, options: ImportOptions) -> None:
        """An interpreter's speed says nothing of Kaldi's."""
        del sniffed, options

    def common(self, sniffed: Sniffed, options: ImportOptions) -> dict[str, Any]:
        del options
        return {"entry": sniffed.entry}

    def of_import(self, sniffed: Sniffed, options: ImportOptions) -> dict[str, Any]:
        del sniffed
        return {"dims": dict(options.dims)}

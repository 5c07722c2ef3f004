"""CNTK version 2 models (`.model`, a protocol buffers dictionary).

The file is read and converted by our own code (core toolchain); CNTK 2.7 itself (Python 3.6) is only needed to run the
original. What users should know:

- Static axes come in numpy's order, as in CNTK's Python API: images are [N, C, H, W]. A sequence is [N, T, ...]: all
  samples of one batch have one length.
- Recurrences (`PastValue`, `FutureValue`, in any arrangement: LSTM, GRU, layers of the user's own) become ONNX `Scan`;
  backends without loops have them written out by the pass `unroll`.
- Outputs are named after the function's name, else by CNTK's uid. `--output NAME` takes any function of the model, such
  as the one before a loss.
- cuDNN's recurrent layers (`OptimizedRNNStack`, but for its GRU) become ONNX LSTM and RNN; CNTK runs them for the
  comparison after its own `convert_optimized_rnnstack`, so their layers cannot be told apart.
- Not converted: steps picked by what is in the sequence, sparse weights, functions that are Python code.
- CNTK is linked against OpenMPI 1.x, which no package carries any more; `mpi.py` writes what its loader asks for.
"""

from __future__ import annotations

from pathlib import Path

from dlpipe.frontends.room import ParsedFrontend


class CntkFrontend(ParsedFrontend):
    name = "cntk"
    formats = ("cntk/model",)
    toolchain = "cntk"
    room = Path(__file__).parent

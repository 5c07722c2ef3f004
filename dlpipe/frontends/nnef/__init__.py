"""NNEF 1.0: a folder with graph.nnef and its .dat files, an archive of one, or the text alone.

The parser and the converter are dlpipe's own; Khronos' runtime (the package `nnef`) runs the original. What to know:

- Fragments, tuples, arrays, comprehensions and operator expressions are evaluated; an operation without a body that
  the standard does not have is refused by its name. Of tract's extensions those with an exact counterpart are taken.
- Names written by `extension tract_symbol` are free dims; `--shape` sets them.
- `scalar` is float32, `integer` int64, `logical` bool. `graph.quant` becomes QuantizeLinear/DequantizeLinear for eight
  bits, and the same arithmetic in floating point for any other number of bits.
- What Khronos' runtime does not execute has no reference: quantised networks (`graph.quant`), tract's extensions,
  arithmetic with integers, `debox` with `normalize`. Give golden outputs with `--reference`.
"""

from __future__ import annotations

from pathlib import Path

from dlpipe.frontends.room import ParsedFrontend


class NnefFrontend(ParsedFrontend):
    name = "nnef"
    formats = ("nnef/folder", "nnef/archive", "nnef/text")
    toolchain = "nnef"
    room = Path(__file__).parent

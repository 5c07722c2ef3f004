"""float16 inside, float32 outside."""

import onnx_ir as ir

from .short import ShortFloat


class HalfPrecision(ShortFloat):
    """Compute and store in float16; inputs and outputs stay float32.

        x(f32) -> Conv(W f32) -> Relu -> y(f32)
        becomes
        x(f32) -> Cast(f16) -> Conv(W f16) -> Relu -> Cast(f32) -> y(f32)

    Requires a float32 model (no quantisers). Whether an operator takes float16 is read from its ONNX schema; what
    does not, and what params["keep"] names (nodes or operators), computes in float32 between Casts. Weights
    beyond +-65504 are clamped and counted. Ensures that no float32 weight is left but those kept. Lossy: relative
    error about 1e-3 per operation. The algorithm is our own; that of onnxconverter-common works from fixed lists.
    """

    short = ir.DataType.FLOAT16

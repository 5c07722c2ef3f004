"""ONNX -> .mnn by MNN's converter.

The C extension, not the program `mnnconvert`: that one reports its use to a server and installs packages.
"""

from __future__ import annotations

import hashlib
import re
import struct
import tempfile
from pathlib import Path
from typing import Any

import _tools
import onnx
from dlpipe_worker import Refused

from ..kit.apart import apart, how_it_ended
from . import quantised

BLOCK = 32  # input channels that share a scale, of 4-bit weights
_WEIGHT_FLAGS = {
    "fp16": ["--fp16"],
    "int8": ["--weightQuantBits", "8"],
    "int4": ["--weightQuantBits", "4", "--weightQuantBlock", str(BLOCK), "--hqq"],
}
_UUID_SLOT = 11  # of the table Net
_LACKS = re.compile(r"These Op Not Support: (?:ONNX::)?(\S+)")
_FAULTS = re.compile(r"error|fail|not support|invalid|what\(\)", re.IGNORECASE)


def convert(source: Path, out: Path, variant: str) -> dict[str, Any]:
    """Write `out`. Returns {"subgraphs": needs MNN's Module interface, "int8_layers": computed in 8 bits,
    "weight_bits": how the rest of the weights is stored}. Raises Refused with what the converter says."""
    with tempfile.TemporaryDirectory() as scratch:
        flags = []
        model = onnx.load_model(str(source), load_external_data=False)
        layers = []
        if quantised.is_quantised(model):
            model = onnx.load_model(str(source))
            layers = quantised.restored(model)
            source = Path(scratch, "model.onnx")
            onnx.save_model(model, str(source), save_as_external_data=model.ByteSize() > 1 << 30)
        if layers:
            quantised.write_parameters(layers, Path(scratch, "scales.json"))
            flags = ["--compressionParamsFile", str(Path(scratch, "scales.json"))]
        else:
            flags = _WEIGHT_FLAGS.get(variant, [])
        # Recurrent layers in the form that needs no loop
        arguments = ["-f", "ONNX", "--modelFile", str(source), "--MNNModel", str(out), "--bizCode", "MNN"]
        status, said = apart(lambda: _tools.mnnconvert(["mnnconvert", *arguments, "--useOriginRNNImpl", *flags]))
    if status or not out.is_file():
        raise _refusal(status, said)
    out.write_bytes(with_fixed_id(out.read_bytes()))
    bits = {"fp16": 16, "int8": 8, "int4": 4}.get(variant, 32) if not layers else 32
    return {"subgraphs": "The model has subgraphs" in said, "int8_layers": len(layers), "weight_bits": bits}


def _refusal(status: int, said: str) -> Refused:
    if lacking := _LACKS.search(said):
        return Refused(f"MNN has no operator {lacking[1]}", kind="unsupported", op=lacking[1])
    lines = [line.strip() for line in said.splitlines() if _FAULTS.search(line)]
    return Refused(
        f"MNN's converter {how_it_ended(status) if status else 'made no model'}: {(lines or ['it said nothing'])[-1]}",
        kind="unsupported",
    )


def with_fixed_id(data: bytes) -> bytes:
    """The converter draws an id by chance. One that follows from the model makes the same bytes of the same model."""
    root = _u32(data, 0)
    entries = root - struct.unpack_from("<i", data, root)[0]
    slot = 4 + 2 * _UUID_SLOT
    if slot >= _u16(data, entries) or not _u16(data, entries + slot):
        return data
    offset = _u16(data, entries + slot)
    text = root + offset + _u32(data, root + offset)
    start, size = text + 4, _u32(data, text)
    rest = data[:start] + bytes(size) + data[start + size :]
    fixed = hashlib.sha256(rest).hexdigest()[:size].ljust(size, "0")
    return data[:start] + fixed.encode() + data[start + size :]


def _u32(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])


def _u16(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<H", data, at)[0])

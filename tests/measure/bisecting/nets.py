"""Nets of which a fault is planted into one node."""

from __future__ import annotations

from typing import Any


def deep(blocks: int = 50) -> dict[str, Any]:
    """6 nodes a block: a residual block whose second half is in the other layout. Square pictures, so that a transpose
    that swaps height and width keeps all shapes."""
    lines, weights = [], {}
    for number in range(blocks):
        before, here = f"b{number - 1}_out" if number else "x", f"b{number}"
        lines += [
            f"[{here}conv] {here}_conv = Conv<pads = [1, 1, 1, 1]>({before}, {here}_w)",
            f"[{here}relu] {here}_relu = Relu({here}_conv)",
            f"[{here}nhwc] {here}_nhwc = Transpose<perm = [0, 2, 3, 1]>({here}_relu)",
            f"[{here}scale] {here}_scaled = Mul({here}_nhwc, {here}_s)",
            f"[{here}nchw] {here}_nchw = Transpose<perm = [0, 3, 1, 2]>({here}_scaled)",
            f"[{here}add] {here}_out = Add({before}, {here}_nchw)",
        ]
        weights[f"{here}_w"], weights[f"{here}_s"] = [8, 8, 3, 3], [8]
    last = f"b{blocks - 1}_out"
    text = f"""<ir_version: 8, opset_import: ["" : 17]>
        deep (float[1,8,16,16] x) => (float[1,8,16,16] {last}) {{ {" ".join(lines)} }}"""
    return {"text": text, "weights": weights, "scale": 0.1}

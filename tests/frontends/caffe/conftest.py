"""Small Caffe nets: a prototxt as text, a caffemodel written byte by byte, and the whole way through the frontend."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.caffe import CaffeFrontend
from dlpipe.ir import calls

Blobs = Mapping[str, Sequence[Any]]


def field(number: int, payload: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def varint(value: int) -> bytes:
    encoded = b""
    while value >= 0x80:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def blob(array: Any) -> bytes:
    """A BlobProto of today."""
    shape = field(7, field(1, b"".join(varint(dim) for dim in np.shape(array))))
    return shape + field(5, np.asarray(array, "<f4").tobytes())


def legacy_blob(array: Any) -> bytes:
    """Of the days of four axes: num, channels, height, width."""
    dims = [1] * (4 - np.ndim(array)) + list(np.shape(array))
    return b"".join(varint(index + 1 << 3) + varint(dim) for index, dim in enumerate(dims)) + field(
        5, np.asarray(array, "<f4").tobytes()
    )


def unpacked_blob(array: Any) -> bytes:
    """Every number a field of its own."""
    shape = field(7, field(1, b"".join(varint(dim) for dim in np.shape(array))))
    return shape + b"".join(b"\x2d" + struct.pack("<f", each) for each in np.ravel(array))


def caffemodel(blobs: Blobs, encode: Callable[[Any], bytes] = blob) -> bytes:
    layers = (
        field(1, name.encode()) + b"".join(field(7, encode(each)) for each in arrays) for name, arrays in blobs.items()
    )
    return b"".join(field(100, each) for each in layers)


@dataclass
class Ran:
    """`ir`: the imported folder; `reference`, `outputs`: output -> [samples, *shape]; `kind`: of the reference."""

    ir: Path
    contract: dict[str, Any]
    reference: dict[str, Any]
    outputs: dict[str, Any]
    kind: str
    tool: str
    interpreted: dict[str, Any]
    note: str

    def difference(self) -> float:
        """The import against the reference: the largest one, as a part of the output's range."""
        return self._between(self.outputs, self.reference)

    def to_interpreter(self) -> float:
        """The import against dlpipe's interpreter."""
        return self._between(self.outputs, self.interpreted)

    def _between(self, one: dict[str, Any], other: dict[str, Any]) -> float:
        worst = 0.0
        for name, wanted in other.items():
            found = one[name]
            assert found.shape == wanted.shape, (name, found.shape, wanted.shape)
            assert np.isfinite(wanted).all()
            worst = max(worst, float(np.abs(found - wanted).max() / (np.ptp(wanted) or 1)))
        return worst


class Caffe:
    """The frontend's calls on a net."""

    entry = "net.prototxt"

    def __init__(self, work: Any) -> None:
        self.work = work
        self.frontend = CaffeFrontend()
        self.sniffed = Sniffed("caffe/prototxt", "caffe", self.entry)

    def source(self, prototxt: str | bytes, weights: bytes | Blobs) -> Path:
        folder: Path = self.work.new_folder()
        (folder / self.entry).write_bytes(prototxt.encode() if isinstance(prototxt, str) else prototxt)
        data = weights if isinstance(weights, bytes) else caffemodel(weights or {"none": [np.zeros(1)]})
        (folder / "net.caffemodel").write_bytes(data)
        return folder

    def ir(self, source: Path, **options: Any) -> Path:
        ir, _ = self.work(self.frontend.import_call(self.sniffed, ImportOptions(**options)), {"source": source})
        return Path(ir)

    def run(self, source: Path, feeds: Mapping[str, Any] | None = None, seed: int = 0, **options: Any) -> Ran:
        """feeds: input -> [samples, *shape]; random where not given."""
        ir = self.ir(source, **options)
        contract = json.loads((ir / "contract.json").read_text())
        samples = self.work.new_folder()
        random = np.random.default_rng(seed)
        arrays = {
            port["name"]: random.standard_normal(
                [2, *(dim if isinstance(dim, int) else 1 for dim in port["shape"])]
            ).astype(np.float32)
            for port in contract["inputs"]
        }
        np.savez(samples / "samples.npz", **{**arrays, **(feeds or {})})
        given = {"source": source, "imported": ir, "samples": samples}
        folder, value = self.work(self.frontend.reference_call(self.sniffed, ImportOptions(**options)), given)
        notes = list(self.work.notes)
        out, _ = self.work(calls.run_call(), {"ir": ir, "samples": samples})
        call = self.frontend.reference_call(self.sniffed, ImportOptions(**options))
        own, _ = self.work(replace(call, operation="interpreted"), given)
        reference, outputs, interpreted = (dict(np.load(each / "outputs.npz")) for each in (folder, out, own))
        return Ran(ir, contract, reference, outputs, value["kind"], value["tool"], interpreted, "; ".join(notes))


@pytest.fixture
def caffe(work: Any) -> Caffe:
    return Caffe(work)

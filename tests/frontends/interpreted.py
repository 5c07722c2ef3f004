"""Networks whose originals OpenCV runs, and dlpipe's interpreter what that cannot: Caffe's and Darknet's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.ir import calls


@dataclass
class Ran:
    """`ir`: the imported folder; `reference`, `outputs`, `interpreted`: output -> [samples, *shape]; `kind`: of the
    reference; `note`: why it is dlpipe's own, where it is."""

    ir: Path
    contract: dict[str, Any]
    reference: dict[str, Any]
    outputs: dict[str, Any]
    interpreted: dict[str, Any]
    kind: str
    tool: str
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


class Interpreted:
    """The frontend's calls on a network."""

    frontend: ClassVar[Frontend]
    sniffed: ClassVar[Sniffed]

    def __init__(self, work: Any) -> None:
        self.work = work
        self.entry = self.sniffed.entry

    def draw(self, random: np.random.Generator, shape: list[int]) -> Any:
        """Samples of an input that is not given."""
        return random.standard_normal(shape)

    def ir(self, source: Path, **options: Any) -> Path:
        ir, _ = self.work(self.frontend.import_call(self.sniffed, ImportOptions(**options)), {"source": source})
        return Path(ir)

    def run(self, source: Path, feeds: Mapping[str, Any] | None = None, seed: int = 0, **options: Any) -> Ran:
        """feeds: input -> [samples, *shape]; random where not given."""
        ir = self.ir(source, **options)
        contract = json.loads((ir / "contract.json").read_text())
        samples = self.work.new_folder()
        random = np.random.default_rng(seed)
        shapes = {
            port["name"]: [2, *(dim if isinstance(dim, int) else 1 for dim in port["shape"])]
            for port in contract["inputs"]
        }
        drawn = {name: self.draw(random, shape).astype(np.float32) for name, shape in shapes.items()}
        np.savez(samples / "samples.npz", **{**drawn, **(feeds or {})})
        given = {"source": source, "imported": ir, "samples": samples}
        call = self.frontend.reference_call(self.sniffed, ImportOptions(**options))
        assert call is not None
        folder, value = self.work(call, given)
        note = "; ".join(self.work.notes)
        own, _ = self.work(replace(call, operation="interpreted"), given)
        out, _ = self.work(calls.run_call(), {"ir": ir, "samples": samples})
        reference, outputs, interpreted = (dict(np.load(each / "outputs.npz")) for each in (folder, out, own))
        return Ran(ir, contract, reference, outputs, interpreted, value["kind"], value["tool"], note)

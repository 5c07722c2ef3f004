"""What this model's answers say: python postprocess.py outputs.npz, which run.py has written. Needs the package numpy.

From a program of your own: `postprocess.Answer.of_artifact("folder").best({output: array})`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Answer:
    """outputs: as in the contract; scores: output's name -> what its numbers are, one for each class: "probabilities";
    "independent" ones, which do not add up to 1; "log-probabilities"; or "logits", of which a softmax makes
    probabilities. labels: names of the classes, or none. quantisation: of outputs of integers."""

    outputs: Sequence[Mapping[str, Any]]
    scores: Mapping[str, str]
    labels: Sequence[str]
    quantisation: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of_artifact(cls, folder: str | Path) -> Answer:
        contract = json.loads(Path(folder, "contract.json").read_text(encoding="utf-8"))
        about = contract["metadata"]
        return cls(contract["outputs"], about["scores"], contract["labels"], about.get("quantisation", {}))

    def best(self, found: Mapping[str, NDArray[Any]], most: int = 5) -> dict[str, list[tuple[str, float]]]:
        """found: outputs of one sample. The `most` likely classes of each output that has scores: its name or number,
        and its probability."""
        return {name: self._ranked(self.probabilities(name, found[name]), most) for name in self.scores}

    def probabilities(self, name: str, value: NDArray[Any]) -> NDArray[np.float64]:
        """[classes]"""
        values = np.asarray(value, np.float64).reshape(-1)
        known = self.quantisation.get(name)
        if known is not None and np.asarray(value).dtype.kind in "iu":
            values = (values - known["zero_point"]) * known["scale"]
        if self.scores[name] in ("logits", "log-probabilities"):
            values = np.exp(values - values.max())
            values /= values.sum()
        return values

    def _ranked(self, values: NDArray[np.float64], most: int) -> list[tuple[str, float]]:
        order = np.argsort(-values, kind="stable")[:most]
        named = len(self.labels) == len(values)  # else they are of another output
        return [(self.labels[place] if named else str(place), float(values[place])) for place in order]

    def named(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """What run.py has written, arr_0, arr_1 ..., under the outputs' names."""
        return {port["name"]: arrays[f"arr_{place}"] for place, port in enumerate(self.outputs)}


def show(answer: Answer, outputs: str | Path) -> None:
    with np.load(outputs) as arrays:
        found = answer.best(answer.named(arrays))
    for name, classes in found.items():
        print(name)
        for label, probability in classes:
            print(f"{probability:8.4f}  {label}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python postprocess.py outputs.npz")
    try:
        show(Answer.of_artifact(Path(__file__).parent), sys.argv[1])
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"{sys.argv[1]}: {error}")

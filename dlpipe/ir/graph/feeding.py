"""Samples one after the other: memory does not depend on how many there are."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ..arrays import npz


class Samples:
    """A `samples.npz`: per input an array [N, *shape], of which sample i is what is fed. Iterable as often as wanted.

    names: the inputs of the model. most: how many samples are given at most, spread over all of them: data are often
    sorted by class, and the first few would be of one. Raises Refused where a sample that is given is not a number
    (NaN), and says which.
    """

    def __init__(self, file: Path, names: Iterable[str], most: int | None = None) -> None:
        self._file = file
        held = npz.members(file)
        if missing := sorted(set(names := list(names)) - set(held)):
            raise Refused(f"the samples hold {sorted(held)}, and the model wants {missing} too")
        self._members = {name: held[name] for name in names}
        self._held = min((each.shape[0] for each in self._members.values()), default=0)
        self.count = self._held if most is None else min(self._held, most)
        if self.count == 0:
            raise Refused("there are no samples")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self.some(range(self.count))

    def some(self, places: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Of those that are given, the ones at these places, which rise."""
        numbers = [place * self._held // self.count for place in places]
        rows = {name: each.rows(numbers) for name, each in self._members.items()}
        for number in numbers:
            yield {name: self._checked(next(each), name, number) for name, each in rows.items()}

    def _checked(self, sample: Any, name: str, number: int) -> Any:
        """Infinities are not looked for: masks of attention have them."""
        if sample.dtype.kind == "f" and np.isnan(np.min(sample, initial=np.inf)):
            raise Refused(
                f"{_item(self._file, number)} is not a number (NaN) in {name!r}",
                hint="leave it out of the data, or mend it",
            )
        return sample


def _item(file: Path, number: int) -> str:
    """What the user calls that sample."""
    labels = file.with_name("labels.json")
    items = json.loads(labels.read_text(encoding="utf-8")).get("items") if labels.is_file() else None
    return str(items[number]) if items and number < len(items) else f"sample {number}"

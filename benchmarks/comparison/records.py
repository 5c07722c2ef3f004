"""benchmarks/results/passes_table.json: a record for each model, with the machine and the day that it is of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlpipe.toolchains.locking import exclusive

Record = dict[str, Any]


class Records:
    """`file` may be written by several runs at once; it is whole at any time."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def all(self) -> dict[str, Record]:
        """Model -> record, with "machine" in each: older files named one for all of them."""
        if not self._file.exists():
            return {}
        found = json.loads(self._file.read_text(encoding="utf-8"))
        whole = {"machine": found["machine"]} if "machine" in found else {}
        return {name: {**whole, **record} for name, record in found["models"].items()}

    def keep(self, name: str, record: Mapping[str, Any]) -> None:
        """A record that only says why there are no figures does not take the place of one that has them."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(self._file.with_suffix(".lock")):
            models = self.all()
            if "candidates" in record or "candidates" not in models.get(name, {}):
                models[name] = dict(record)
            written = self._file.with_suffix(".part")
            written.write_text(json.dumps({"models": models}, indent=1) + "\n", encoding="utf-8")
            written.replace(self._file)

    def missing(self, names: list[str], machine: str) -> list[str]:
        """Those of which there are no figures of this machine."""
        found = self.all()
        return [
            name for name in names if "candidates" not in found.get(name, {}) or found[name].get("machine") != machine
        ]


def machines(records: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Machine -> the models whose figures are of it."""
    found: dict[str, list[str]] = {}
    for name, record in records.items():
        found.setdefault(record.get("machine", "unknown"), []).append(name)
    return found

"""What tuning found out, for one tool on one target and processor: JSON lines that are only ever added to.

Several runs may add at once, and one may be killed while it does: a line is added whole, under a lock, and a last line
that is not whole is passed over. What lines say of the same operator is merged when they are read.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dlpipe.contracts.json import digest
from dlpipe.pipeline.store.disk import replace_durably

Entry = dict[str, Any]
_KEPT = 8  # traces of each operator
_LINES_EACH = 16  # of an operator, before the file is written anew


class Records:
    """The file below `folder` for `tuned_for` (the tool, and the target as it is told) on the processor `cpu`."""

    def __init__(self, folder: Path, tuned_for: Mapping[str, Any], cpu: str) -> None:
        identity = {"tuned_for": dict(tuned_for), "cpu": cpu}
        name = f"{tuned_for.get('tool', 'tool')}-{digest(identity)[:16]}".replace(" ", "-").replace("/", "-")
        self._header = {"tuning": 1, **identity}
        self.path = folder / f"{name}.jsonl"

    def read(self, keys: Iterable[str]) -> dict[str, Entry]:
        """What is known of these operators."""
        wanted = set(keys)
        found: dict[str, Entry] = {}
        for line in self._lines():
            key = line.get("workload")
            if key in wanted:
                merge(found.setdefault(key, {}), line)
        return found

    def finished(self, plan: str) -> bool:
        """Whether a search of that plan (the operators, and the budget) came to its end."""
        return any(line.get("finished") == plan for line in self._lines())

    def add(self, entries: Mapping[str, Entry], finished: str | None = None) -> None:
        """What one round found out of each operator; `finished`: the plan, where that was the last round."""
        lines = [{"workload": key, **entry} for key, entry in entries.items() if entry]
        self._append([*lines, *([{"finished": finished}] if finished else [])])

    def _append(self, lines: list[dict[str, Any]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            text = "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines)
            before = list(self._lines())
            if len(before) > _LINES_EACH * max(1, len({line.get("workload") for line in before})):
                self._compact(before)
            with self.path.open("a+b") as file:
                if file.tell() == 0:
                    file.write((json.dumps(self._header, sort_keys=True) + "\n").encode())
                else:
                    file.seek(-1, os.SEEK_END)
                    if file.read(1) != b"\n":  # a run was killed within its last line
                        file.write(b"\n")
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())

    def _compact(self, lines: list[dict[str, Any]]) -> None:
        merged: dict[str, Entry] = {}
        for line in lines:
            if "workload" in line:
                merge(merged.setdefault(line["workload"], {}), line)
        plans = sorted({line["finished"] for line in lines if "finished" in line})
        kept = [
            self._header,
            *({"workload": key, **merged[key]} for key in sorted(merged)),
            *({"finished": plan} for plan in plans),
        ]
        text = "".join(json.dumps(line, sort_keys=True) + "\n" for line in kept)
        replace_durably(self.path, text.encode(), self.path.with_suffix(".new"))

    def _lines(self) -> Iterator[dict[str, Any]]:
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return
        for line in text.splitlines():
            try:
                read = json.loads(line)
            except ValueError:
                continue
            if isinstance(read, dict):
                yield read

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self.path.with_suffix(".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def merge(entry: Entry, line: Mapping[str, Any]) -> None:
    """Take over what a line says. Times add up; the fastest traces are kept, in an order of their own."""
    for name in ("spent", "tried"):
        if name in line:
            entry[name] = entry.get(name, 0) + line[name]
    if "rule_seconds" in line:
        entry.setdefault("rule_seconds", line["rule_seconds"])  # the first: shares of a budget are computed from it
    found = {
        json.dumps(trace): (seconds, trace) for seconds, trace in [*line.get("found", ()), *entry.get("found", ())]
    }
    if found:
        ordered = sorted(found, key=lambda text: (found[text][0], text))
        entry["found"] = [list(found[text]) for text in ordered[:_KEPT]]
    if "chosen" in line and line["ratio"] < entry.get("ratio", float("inf")):
        entry["chosen"], entry["ratio"] = line["chosen"], line["ratio"]

"""Why a stage hit or missed the cache, and what it ran with."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from dlpipe.errors import UserError
from dlpipe.pipeline.runs import run_folder, stages_of
from dlpipe.pipeline.store import Record, Store


def explain(store: Store, run: str, stage: str | None) -> list[dict[str, Any]]:
    """One entry per stage: hit or miss, and for a miss what differs from the nearest earlier record of the same
    operation. Raises UserError when the run or the stage is not known."""
    stages = stages_of(run_folder(run))
    if stage is not None and stage not in stages:
        alike = [name for name in stages if stage in name and ":" not in name]
        near = alike or difflib.get_close_matches(stage, stages, n=3) or [name for name in stages if ":" not in name]
        raise UserError(f"run {run} has no stage {stage!r}", hint=f"it has: {', '.join(near[:12])}")
    records = _Records(store)
    wanted = stages if stage is None else {stage: stages[stage]}
    return [_explain(name, found, records) for name, found in wanted.items()]


class _Records:
    """What the store holds, by key and by what was done: a store of years has very many, and a run hundreds of
    stages."""

    def __init__(self, store: Store) -> None:
        self.by_key: dict[str, Record] = {}
        self._alike: defaultdict[tuple[Any, Any], list[Record]] = defaultdict(list)
        for record in store.records():
            self.by_key[record.key] = record
            self._alike[_what(record)].append(record)

    def earlier(self, than: Record) -> list[Record]:
        """Of the same operation."""
        return [each for each in self._alike[_what(than)] if each.key != than.key and each.created <= than.created]


def _what(record: Record) -> tuple[Any, Any]:
    return record.parts.get("worker"), record.parts.get("operation")


def _explain(name: str, found: Mapping[str, Any], records: _Records) -> dict[str, Any]:
    record = records.by_key.get(found["key"])
    entry: dict[str, Any] = {"stage": name, **found}
    if record is None:
        entry["why"] = found.get("reason") or "it left no record"
        return entry
    entry |= {"ran": record.parts, "tools": dict(record.tools), "made": record.created, "seconds": record.seconds}
    entry["log"] = record.log
    if found["cache"] == "hit":
        entry["why"] = f"the same key was computed at {record.created}"
        return entry
    earlier = records.earlier(record)
    if not earlier:
        entry["why"] = "nothing of this kind was computed before"
        return entry
    nearest = min((_differences(each.parts, record.parts) for each in earlier), key=_length)
    entry["why"] = "differs from the nearest earlier one in: " + ", ".join(nearest)
    return entry


def _length(names: list[str]) -> int:
    return len(names)


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Names of the parts that differ, one level deep: `inputs.ir`, `params`, `code`."""
    found = []
    for key in sorted({*before, *now}):
        one, other = before.get(key), now.get(key)
        if one == other:
            continue
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += [f"{key}.{name}" for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
        else:
            found.append(key)
    return found

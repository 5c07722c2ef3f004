"""Tuning in rounds, each a stage whose findings are kept at once: a run that is killed loses the round it is in.

The database is outside of the store, because it grows with every model. What a stage reads of it is put into the store,
so that the stage's key says what it was: with the same records a compile gives the same bytes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dlpipe.contracts.backend import Target
from dlpipe.contracts.json import digest
from dlpipe.contracts.tuning import Tunable
from dlpipe.measure.machine import fingerprint
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Outcome, Stage
from dlpipe.pipeline.store.disk import temporary
from dlpipe.pipeline.timing import alone
from dlpipe.pipeline.tuning.database import Entry, Records

ROUND = 30.0  # seconds
FASTER = 0.95  # of the untuned time: an operator that gains less stays as it was
_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Tuned:
    """records: digest of the folder that the compile takes, None where nothing was found to be faster. `says`: what
    came of it, for people; `warns` where that is less than was asked for."""

    records: str | None
    says: str
    warns: bool = False


def tune(session: Session, tool: Tunable, target: Target, variant: str, *, name: str, ir: str, seconds: float) -> Tuned:
    """Search for at most `seconds`, less what the operators of the model `ir` (id of a stage) have had before, in this
    model or in others."""
    executor = session.executor
    listed = Stage(f"workloads:{name}", "data", tool.workloads_call(target, variant), {"ir": ir}, required=False)
    outcome = executor.run([listed])[listed.id]
    if outcome.status != "ok":
        return Tuned(None, f"not tuned: {outcome.reason}", warns=True)
    operators: Mapping[str, Any] = outcome.value
    machine = fingerprint()
    processor = f"{machine['cpu']} {digest(machine['flags'])[:16]}"
    records = Records(session.cache / "tuning", tool.tuned_for(target), processor)
    plan = digest({"operators": {key: each["count"] for key, each in operators.items()}, "seconds": seconds})
    before = _spent(records.read(operators).values())
    trouble = None
    if not records.finished(plan):
        search = _Search(session, tool, target, variant, name, ir, seconds, processor)
        trouble = search.run(records, operators, plan)
    known = records.read(operators)
    chosen = {key: each["chosen"] for key, each in sorted(known.items()) if each.get("ratio", 1.0) < FASTER}
    says = _says(known, operators, chosen, before)
    tree = _stored(session, "chosen.json", chosen) if chosen else None
    return Tuned(tree, says if trouble is None else f"{says}; the search ended early: {trouble}", trouble is not None)


@dataclass(frozen=True, slots=True)
class _Search:
    session: Session
    tool: Tunable
    target: Target
    variant: str
    name: str
    ir: str
    seconds: float
    processor: str

    def run(self, records: Records, operators: Mapping[str, Any], plan: str) -> str | None:
        """Round after round, until the time is over; waiting for others that measure here does not count. Returns why
        it ended before, where the tool failed again and again."""
        used, failures, number = 0.0, 0, 0
        while used < self.seconds:
            number += 1
            outcome, seconds = self._round(records.read(operators), number, min(self.seconds - used, ROUND))
            used += seconds
            if outcome.status != "ok":
                failures += 1
                if failures >= _FAILURES:
                    return str(outcome.reason)
                continue
            found = json.loads(self.session.store.read(outcome.output, "records.json"))
            over = bool(outcome.value["finished"]) or used >= self.seconds
            records.add(found, finished=plan if over else None)
            if over:
                break
        return None

    def _round(self, known: Mapping[str, Entry], number: int, seconds: float) -> tuple[Outcome, float]:
        """Its outcome, and the seconds that it took."""
        executor = self.session.executor
        call = self.tool.tune_call(self.target, self.variant, budget=self.seconds, seconds=round(seconds, 1))
        more = {"number": number, "model": executor.outcomes[self.ir].output, "processor": self.processor}
        stage = Stage(
            f"tune:{self.name}@{number}",
            "data",
            replace(call, params={**call.params, **more}, stage_class="hardware"),
            {"ir": self.ir, "records": f"tree:{_stored(self.session, 'records.json', known)}"},
            required=False,
        )
        with alone(self.session.cache):
            started = time.monotonic()
            outcome = executor.run([stage])[stage.id]
            return outcome, time.monotonic() - started


def _stored(session: Session, name: str, content: Any) -> str:
    """Digest of a folder with that one file."""
    with temporary(session.folder) as file:
        file.write_text(json.dumps(content, sort_keys=True) + "\n", encoding="utf-8")
        return session.store.ingest_files({name: file}).digest


def _spent(entries: Iterable[Entry]) -> float:
    return sum(float(each.get("spent", 0.0)) for each in entries)


def _says(known: Mapping[str, Entry], operators: Mapping[str, Any], chosen: Mapping[str, Any], before: float) -> str:
    """In words: how much was searched, and what one run of the model takes by the sum of its operators."""
    tried = sum(each.get("tried", 0) for each in known.values())
    spent = _spent(known.values())
    untuned = {key: each["count"] * known.get(key, {}).get("rule_seconds", 0.0) for key, each in operators.items()}
    tuned = sum(cost * (known[key]["ratio"] if key in chosen else 1.0) for key, cost in untuned.items())
    whole = sum(untuned.values())
    known_before = f", {before:.0f} s of them in earlier runs" if before >= 1 else ""
    if not chosen:
        return f"tuned for {spent:.0f} s ({tried} candidates{known_before}): none was faster than the untuned code"
    mine = [key for key, each in operators.items() if each["count"]]
    faster = sum(key in chosen for key in mine)
    return (
        f"tuned for {spent:.0f} s ({tried} candidates{known_before}): {faster} of {len(mine)} operators are "
        f"faster; by their sum a run takes {tuned / whole:.2f} of the untuned time"
    )

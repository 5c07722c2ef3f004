"""What `dlpipe compress` reports, schema `dlpipe.compress/1`: what was tried, what was chosen, and what for.

Fields are only ever added (with a default), never renamed or removed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, AwareDatetime, Field, FiniteFloat

from dlpipe.contracts.figure import Figure
from dlpipe.contracts.json import laid_out
from dlpipe.contracts.measurement import Accuracy, Fidelity, Speedup, Value
from dlpipe.report.schema import DepartsAt

SCHEMA = "dlpipe.compress/1"


class Applied(Value):
    """One pass of a chain, with the parameters that differ from its defaults."""

    name: str = Field(validation_alias=AliasChoices("pass", "name"), serialization_alias="pass")
    params: dict[str, Any] = Field(default_factory=dict)
    changes: tuple[str, ...] = ()


class Figures(Value):
    """What one model measured on one set of samples. A figure that is None has its reason beside it."""

    accuracy: Accuracy | None = None
    accuracy_reason: str | None = None
    fidelity: Fidelity | None = None
    fidelity_reason: str | None = None
    cost: dict[str, Figure] = Field(default_factory=dict)
    speedup: Speedup | None = None  # against the uncompressed model on the same runtime
    speedup_reason: str | None = None


class Tried(Value):
    """One candidate. `verdict`: it keeps every limit and gains ("meets"), keeps them and gains nothing ("no-gain"),
    breaks one ("breaks"), or could not be made or run ("failed"); `reason` says which and why."""

    number: int
    recipe: str
    steps: tuple[Applied, ...] = ()
    left_out: dict[str, str] = Field(default_factory=dict)  # optional step -> why
    figures: Figures = Field(default_factory=Figures)
    verdict: Literal["meets", "no-gain", "breaks", "failed"]
    reason: str | None = None
    pareto: bool = False  # none that was tried is better in accuracy and in what is minimised
    digest: str | None = None
    departs_at: DepartsAt | None = None  # where one that breaks a limit departs from what it was made of
    also: tuple[str, ...] = ()  # recipes that made the same file, and were not measured again


class Part(Value):
    """A share of the data that no other part has a sample of."""

    use: Literal["train", "rank", "final"]
    count: int = Field(ge=0)
    source: str


class Chosen(Value):
    """`figures` were measured on the part `final`."""

    number: int  # of the candidate; 0: the optimised model as it is
    recipe: str
    figures: Figures
    reason: str
    digest: str | None = None  # of the folder in the store that the written model comes from
    model_sha256: str | None = None  # of the file that was written


class Compression(Value):
    schema_name: Literal["dlpipe.compress/1"] = Field(
        default="dlpipe.compress/1",
        validation_alias=AliasChoices("schema", "schema_name"),
        serialization_alias="schema",
    )
    dlpipe_version: str
    run: str
    created: AwareDatetime
    command: str | None = None
    model: str
    sha256: str
    format: str
    reference: str | None = None  # the tool that ran the original
    target: str | None = None
    minimised: Literal["latency", "size"]
    limits: dict[str, FiniteFloat] = Field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    base: Figures  # of the optimised model, on the part that ranks
    tried: tuple[Tried, ...] = ()
    chosen: Chosen | None = None
    undone: tuple[str, ...] = ()  # what was taken back, since it brought nothing
    ended: str | None = None  # why no more was tried
    notes: tuple[str, ...] = ()
    path: str | None = None  # the file that was written
    seconds: FiniteFloat | None = None

    @classmethod
    def read(cls, path: Path) -> Compression | None:
        """From a file, or `report.json` in a folder; None where that is no report of a compression."""
        file = path / "report.json" if path.is_dir() else path
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            if not isinstance(found, dict) or found.get("schema") != SCHEMA:
                return None
            return cls.model_validate(found)
        except (OSError, ValueError):  # it is told by who reads the reports of conversions
            return None

    def to_json(self) -> str:
        return laid_out(self.model_dump(mode="json")) + "\n"

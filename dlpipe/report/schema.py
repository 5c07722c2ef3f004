"""`report.json`, schema `dlpipe.report/1`: the types, and the JSON Schema that is generated from them.

Fields are only ever added (with a default), never renamed or removed: scripts and CI jobs rely on them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, AwareDatetime, Field, FiniteFloat, ValidationError

from dlpipe.contracts.call import StageClass
from dlpipe.contracts.figure import Figure, Provenance
from dlpipe.contracts.json import laid_out
from dlpipe.contracts.measurement import Accuracy, Fidelity, Speedup, Value
from dlpipe.errors import UserError
from dlpipe.ir.contract import Port

SCHEMA = "dlpipe.report/1"
SCHEMA_FILE = Path(__file__).with_name("report-1.schema.json")

Scalar = bool | int | FiniteFloat | str | None


class Note(Value):
    """Something the user should read. `where` names node, operator, stage, file."""

    level: Literal["info", "warning", "error"] = "info"
    message: str
    where: dict[str, Scalar] = Field(default_factory=dict)


class Reference(Value):
    """What the outputs are compared with. `own` (dlpipe's interpreter) never makes a verdict `passed` alone."""

    kind: Literal["original", "independent", "own", "none"]
    tool: str | None = None  # e.g. "tensorflow 2.21.0"
    reason: str | None = None


class Source(Value):
    """The model as the user gave it."""

    path: str
    sha256: str
    framework: str
    format: str
    version: str | None = None
    size_bytes: int | None = None
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    reference: Reference
    preprocessing: tuple[str, ...] = ()  # one line for each part that was cut off and kept beside the model


class Samples(Value):
    """What the models were fed with."""

    count: int = Field(ge=0)
    source: str  # the --data specification, or "generated"
    seed: int | None = None
    labelled: int = Field(default=0, ge=0)  # how many of them have a label
    digest: str | None = None


class DepartsAt(Value):
    """Where a model begins to depart from the one that it was made of. verdict: "node" (fed with the reference's values
    this node departs all the same), "accumulates" (no node does so), "together" (compiled alone it agrees), "somewhere"
    (compiled alone it could not be judged) or "unknown". command: what looks again, and closer."""

    verdict: Literal["node", "accumulates", "together", "somewhere", "unknown"]
    node: str | None = None
    op: str | None = None
    reference_node: str | None = None  # that made the same value in the model it was made of
    said: str
    command: str | None = None


class Measured(Value):
    """The blocks that stages and artefacts have in common. A block that is None has its reason beside it."""

    fidelity: Fidelity | None = None
    fidelity_reason: str | None = None
    departs_at: DepartsAt | None = None  # where `fidelity` did not pass
    accuracy: Accuracy | None = None
    accuracy_reason: str | None = None
    cost: dict[str, Figure] = Field(default_factory=dict)  # keys: see cli.md; times in ms, sizes in bytes, rates per s
    speedups: tuple[Speedup, ...] = ()
    notes: tuple[Note, ...] = ()
    after: tuple[str, ...] = ()  # ids of the stages this one takes its inputs from: the DAG's edges


class Stage(Measured):
    id: str
    kind: str  # "import", "verify", "pass", "compile", "run", "timing", "package" ...
    title: str | None = None
    tool: str
    tool_version: str | None = None
    toolchain: str | None = None  # the lock's digest
    stage_class: StageClass = Field(
        default="deterministic", validation_alias=AliasChoices("class", "stage_class"), serialization_alias="class"
    )
    status: Literal["ok", "failed", "skipped"]
    reason: str | None = None  # why it failed or was skipped
    cache: Literal["hit", "miss"] | None = None  # None: it did not run
    seconds: FiniteFloat | None = None
    inputs: tuple[str, ...] = ()  # digests
    output: str | None = None  # digest
    structure: str | None = None  # of an imported model: digest of its graph without the weights
    target: str | None = None
    backend: str | None = None
    variant: str | None = None
    changes: dict[str, Scalar] = Field(default_factory=dict)  # what the stage did, e.g. {"BatchNormalization": -9}


class Refusal(Value):
    """Why pre-flight ruled an artefact out. op, nodes: what is to blame; hint: what would help."""

    reason: str
    op: str | None = None
    node: str | None = None
    nodes: tuple[str, ...] = ()
    hint: str | None = None


class Part(Value):
    """Of an artefact that several backends make together."""

    backend: str
    variant: str
    nodes: tuple[str, ...]


class Artifact(Measured):
    target: str
    backend: str
    variant: str
    path: str  # relative to the output folder
    digest: str | None = None
    size_bytes: int | None = None
    ran_on: str = Field(pattern=r"^(native|none|qemu-[a-z0-9_]+|(vulkan|simulator|device):.+)$")
    verdict: Literal["passed", "failed", "unverified"]
    provenance: Provenance
    reason: str | None = None  # why it failed, is unverified, or does not exist
    refusals: tuple[Refusal, ...] = ()
    parts: tuple[Part, ...] = ()  # in the order in which they are called
    files: dict[str, int] = Field(default_factory=dict)  # name -> bytes
    isa: tuple[str, ...] | None = (
        None  # extensions that its own machine code needs, in Linux's names; None: it has none
    )


class ScorecardRow(Value):
    target: str
    backend: str
    variant: str | None = None  # of the artefact that the row speaks of
    artifact: str | None = None  # its path
    indicators: dict[str, Figure]  # ids: dlpipe/report/indicators.toml


class FrameworkRow(Value):
    """What this conversion measured of the framework that the model was trained with."""

    framework: str
    tool: str | None = None  # what ran the original, e.g. "tensorflow 2.21.0"
    indicators: dict[str, Figure]  # ids: dlpipe/report/training.toml


class Gate(Value):
    name: str  # e.g. "max-accuracy-drop"
    subject: str  # stage id or artefact path
    limit: FiniteFloat | str
    value: FiniteFloat | str | None = None
    unit: str | None = None  # of limit and value: "points", "ms", "bytes", "x"
    passed: bool | None
    reason: str | None = None
    n: int | None = None  # sample size behind the value
    samples_needed: int | None = None  # what sample size would resolve the limit


class RunnerUp(Value):
    """Another artefact that passed and keeps the limits. `times`: its latency, or its size where nothing was timed,
    over that of the selected one; at least 1."""

    path: str
    backend: str
    variant: str
    times: float | None = None


class Selected(Value):
    path: str
    basis: Literal["measured-latency", "unmeasured-speed"]
    backend: str | None = None
    variant: str | None = None
    reason: str | None = None  # one sentence: why this one
    runners_up: tuple[RunnerUp, ...] = ()  # best first


class Environment(Value):
    """Where it ran. `machine` is `dlpipe.measure.machine.fingerprint()`."""

    machine: dict[str, Scalar | tuple[Scalar, ...]] = Field(default_factory=dict)
    python: str | None = None
    toolchains: dict[str, str] = Field(default_factory=dict)  # name -> lock digest
    tools: dict[str, str] = Field(default_factory=dict)  # name -> version
    limits: dict[str, Figure] = Field(default_factory=dict)  # of one core: peak_f32, peak_int8, bandwidth
    taken_by_others: Figure | None = None  # share of the CPUs' time while latency was measured


class Layer(Value):
    """A node of a model's graph. `after`: indices of the nodes that it takes its inputs from. `error`: the largest of
    its output for one sample, over the range that the same layer had in the imported model; None: it had no such."""

    name: str
    op: str
    after: tuple[int, ...] = ()
    error: FiniteFloat | None = None


class Kernel(Value):
    """What ONNX Runtime executes of a model, per inference. Its name is that of a layer that went into it."""

    name: str
    op: str
    milliseconds: FiniteFloat


class Weight(Value):
    """How a weight is distributed: `counts` in equal steps from `low` to `high`. A quantised one as the numbers that it
    stands for. `every`: only every so many-th element was looked at."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    low: FiniteFloat
    high: FiniteFloat
    mean: FiniteFloat
    std: FiniteFloat
    counts: tuple[int, ...]
    every: int = 1


class ModelView(Value):
    """A model to look at: the first of its nodes, the largest of its weights; the counts are of all."""

    stage: str
    nodes: tuple[Layer, ...] = ()
    node_count: int = 0
    error_reason: str | None = None  # why no layer was compared
    kernels: tuple[Kernel, ...] = ()  # longest first
    kernels_reason: str | None = None
    weights: tuple[Weight, ...] = ()  # largest first
    weight_count: int = 0


class Report(Value):
    schema_name: Literal["dlpipe.report/1"] = Field(
        default="dlpipe.report/1", validation_alias=AliasChoices("schema", "schema_name"), serialization_alias="schema"
    )
    dlpipe_version: str
    run: str
    created: AwareDatetime
    command: str | None = None  # the line that reproduces the run
    source: Source
    samples: Samples | None = None
    stages: tuple[Stage, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    scorecard: tuple[ScorecardRow, ...] = ()
    framework: FrameworkRow | None = None
    gates: tuple[Gate, ...] = ()
    selected: dict[str, Selected] = Field(default_factory=dict)
    views: tuple[ModelView, ...] = ()  # the imported model, then those that artefacts were made from
    notes: tuple[Note, ...] = ()
    environment: Environment | None = None
    seconds: FiniteFloat | None = None  # wall time of the whole run

    def to_json(self) -> str:
        """The text of `report.json`. The same report gives the same bytes."""
        return laid_out(self.model_dump(mode="json")) + "\n"

    @classmethod
    def read(cls, path: Path) -> Report:
        """From a report.json, or the output folder that holds one. Raises UserError when it is not one."""
        file = path / "report.json" if path.is_dir() else path
        hint = f"this dlpipe reads {SCHEMA}; was it written by another version?"
        try:
            text = file.read_text(encoding="utf-8")
            if json.loads(text)["schema"] != SCHEMA:
                raise UserError(f"{file} is not a {SCHEMA}", hint=hint)
            return cls.model_validate_json(text)
        except OSError as error:
            raise UserError(f"no report at {file}: {error.strerror}") from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the file"
            raise UserError(f"{file} is not a {SCHEMA}: {place}: {first['msg']}", hint=hint) from None
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{file} is not a {SCHEMA}", hint=hint) from None

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """JSON Schema (Draft 2020-12) of report.json, as published in `report-1.schema.json`."""
        head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:" + SCHEMA.replace("/", ":")}
        generated = cls.model_json_schema(mode="validation")
        return head | generated | {"required": ["schema", *generated["required"]]}

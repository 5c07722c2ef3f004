"""What may be asked of a job: an allow-list of `convert`'s options.

Nothing in it names a file of the server, code of the user's, or a format that executes code when it is read: files come
by the digest of what was uploaded, everything else is a name or a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from dlpipe.errors import UserError

MAX_FILES = 20_000
MIN_MEMORY = 256 << 20  # bytes: what a job needs before it has looked at a model
_NAME_BYTES = 255
_FOLDERS = ("model", "data", "train_data", "labels", "reference")
_DAY = 24 * 3600

WITHOUT_NUL = r"^[^\x00]*$"  # PostgreSQL's texts hold none

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:[._-][a-z0-9]+)*$", max_length=64)]
Board = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:[.-][a-z0-9]+)*$", max_length=64)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Metric = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9@-]+(?:,[a-z_-]+=[A-Za-z0-9._-]+)*$", max_length=200)
]  # no colon: that would be a function of the user's


def check_name(name: str) -> str:
    """A file's place in a folder: parts joined by `/`, none of which leads elsewhere or means something to an option.
    Raises ValueError."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"{name!r} leads out of its folder, or nowhere")
    if any(ord(character) < 32 or character in ":\\\x7f" or 0xD800 <= ord(character) <= 0xDFFF for character in name):
        raise ValueError(f"{name!r} holds a character that no name may")
    if any(len(part.encode()) > _NAME_BYTES for part in parts) or len(parts) > 32:
        raise ValueError(f"{name[:80]!r}... is too long")
    return name


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Files(_Strict):
    """Uploaded files (name -> digest), and which of them is meant: "." is the folder that they make together."""

    files: dict[str, Digest] = Field(min_length=1, max_length=MAX_FILES)
    entry: str

    @model_validator(mode="after")
    def _names_are_places(self) -> Files:
        for name in self.files:
            check_name(name)
        # One after the other: all folders of 20,000 names together are a hundred times as long as the names.
        folders = ("/".join(parts[:length]) for parts in map(_split, self.files) for length in range(1, len(parts)))
        if clash := next((folder for folder in folders if folder in self.files), None):
            raise ValueError(f"{clash!r} is both a file and a folder")
        if self.entry not in {".", *self.files}:
            raise ValueError(f'the entry {self.entry!r} is none of the files, nor "."')
        return self


def _split(name: str) -> list[str]:
    return name.split("/")


class Asked(_Strict):
    """One job. The texts are those of the command line (`dlpipe convert --help`); `time_limit` in seconds,
    `memory_limit` in bytes, of all processes of the job together; both within what the team may have. `board_wait`:
    seconds that boards of the farm may let the job wait each time."""

    model: Files | None = None
    zoo: Word | None = None
    framework: Word | None = None
    targets: list[Word] = Field(min_length=1, max_length=16)
    backends: list[Word] = Field(default_factory=list, max_length=32)
    precision: Word = "auto"
    recipes: list[Word] = Field(default_factory=list, max_length=16)
    allow_fallback: Word | None = None
    data: Files | None = None
    train_data: Files | None = None
    labels: Files | None = None
    reference: Files | None = None
    metric: Metric | None = None
    inputs: list[Text] = Field(default_factory=list, max_length=64)
    outputs: list[Text] = Field(default_factory=list, max_length=64)
    shapes: list[Text] = Field(default_factory=list, max_length=64)
    preprocess: Text | None = None
    route: Word | None = None
    max_accuracy_drop: Text | None = None
    max_latency: Text | None = None
    max_size: Text | None = None
    max_memory: Text | None = None
    min_speedup: Text | None = None
    gate_confidence: Text | None = None
    require_verified: bool = False
    tune: Text | None = None
    board: Board | None = None
    board_wait: float = Field(default=600, gt=0, le=_DAY, allow_inf_nan=False)
    label: Annotated[str, StringConstraints(max_length=200, pattern=WITHOUT_NUL)] = ""
    priority: int = Field(default=0, ge=-100, le=100)
    time_limit: float = Field(default=3600, gt=0, le=_DAY, allow_inf_nan=False)
    memory_limit: int | None = Field(default=None, ge=MIN_MEMORY, le=1 << 50)

    @classmethod
    def of_row(cls, stored: Mapping[str, Any]) -> Asked:
        """One that was accepted earlier, by whatever rules held then: to be looked at, not to be run."""
        kept = {name: stored[name] for name in cls.model_fields if name in stored}
        for name in _FOLDERS:
            if kept.get(name) is not None:
                kept[name] = Files.model_construct(**kept[name])
        return cls.model_construct(**{"targets": [], **kept})

    def is_that_of(self, stored: Mapping[str, Any]) -> bool:
        """Whether the same was asked for then; what could not be asked for yet had its default."""
        fields = type(self).model_fields
        then = {name: field.get_default(call_default_factory=True) for name, field in fields.items()}
        return {**then, **stored} == self.model_dump(mode="json")

    @field_validator("preprocess")
    @classmethod
    def _is_no_file(cls, text: str | None) -> str | None:
        if text is not None and text.strip().endswith(".json"):
            raise ValueError("a file goes beside the model, under its own name")
        return text

    @field_validator("recipes")
    @classmethod
    def _are_no_files(cls, names: list[str]) -> list[str]:
        if any(name.endswith(".toml") for name in names):
            raise ValueError("a recipe of one's own is not run on a service")  # and none of the server's is read
        return names

    @model_validator(mode="after")
    def _has_a_model(self) -> Asked:
        if (self.model is None) == (self.zoo is None):
            raise ValueError("either model or zoo is wanted")
        for name in ("labels", "reference"):
            one: Files | None = getattr(self, name)
            if one is not None and one.entry == ".":
                raise ValueError(f"{name} is a file, not a folder")
        return self

    def uploads(self) -> dict[str, Files]:
        """Name of the folder that they are put into -> the files."""
        named = {name: getattr(self, name) for name in _FOLDERS}
        return {name: files for name, files in named.items() if files is not None}

    def title(self) -> str:
        """What the job is called in a list: hostile text, like all names."""
        if self.zoo is not None:
            return f"zoo:{self.zoo}"
        if self.model is None:
            return self.label
        if self.model.entry != ".":
            return self.model.entry
        return self.label or min(self.model.files).partition("/")[0]  # the client labels a folder with its name

    def shown(self) -> dict[str, Any]:
        """What a list says of the job, small whatever was asked."""
        return {
            "title": self.title(),
            "label": self.label,
            "targets": list(self.targets),
            "backends": list(self.backends),
        }

    def words(self) -> str:
        """What a search looks through, in small letters: a database knows those of English alone."""
        return " ".join([self.title(), self.label, *self.targets, *self.backends]).lower()[:1000]

    def request(self) -> Any:
        """The `ConvertRequest`, for a process that works in the folder into which the uploads were put.

        Raises UserError for an unknown target or backend, a precision that is none, a limit without its unit.
        """
        from dlpipe.frontends.registry import frontends
        from dlpipe.measure import parse_metric
        from dlpipe.pipeline.limits import UserLimits, parse_duration
        from dlpipe.pipeline.request import (
            ConvertRequest,
            find_recipes,
            import_options,
            parse_confidence,
            parse_precision,
        )
        from dlpipe.pipeline.zoo import find_zoo_model
        from dlpipe.targets.registry import backend

        for name in self.targets:
            _known_target(name)
        for name in [*self.backends, *([self.allow_fallback] if self.allow_fallback else [])]:
            if name != "all":
                backend(name)
        if self.framework is not None and self.framework not in frontends():
            raise UserError(f"no frontend is called {self.framework!r}", hint=f"there are: {', '.join(frontends())}")
        if self.zoo is not None:
            find_zoo_model(self.zoo)
        model = f"zoo:{self.zoo}" if self.zoo is not None else self._place("model")
        return ConvertRequest(
            model=f"{self.framework}:{model}" if self.framework is not None else str(model),
            targets=tuple(dict.fromkeys(self.targets)),
            backends=tuple(dict.fromkeys(self.backends)),
            precision=parse_precision(self.precision),
            allow_fallback=self.allow_fallback,
            recipes=find_recipes(self.recipes, self.precision),
            data=self._place("data"),
            train_data=self._place("train_data"),
            labels=_path(self._place("labels")),
            reference=_path(self._place("reference")),
            metric=parse_metric(self.metric) if self.metric is not None else None,
            options=import_options(
                self.inputs, self.outputs, self.shapes, route=self.route, preprocess=self.preprocess
            ),
            limits=UserLimits.parse(
                max_accuracy_drop=self.max_accuracy_drop,
                max_latency=self.max_latency,
                max_size=self.max_size,
                max_memory=self.max_memory,
                min_speedup=self.min_speedup,
            ),
            gate_confidence=parse_confidence(self.gate_confidence),
            require_verified=self.require_verified,
            tune=parse_duration(self.tune, "tune"),
            board=self.board,
            out=Path("out"),
            command=None,
        )

    def _place(self, name: str) -> str | None:
        files: Files | None = getattr(self, name)
        if files is None:
            return None
        return name if files.entry == "." else f"{name}/{files.entry}"


@lru_cache(maxsize=1000)
def _known_target(name: str) -> bool:
    """Reading every target's file takes most of the time of a submission; what was known once is not looked for again,
    and what raises is. Raises UserError."""
    from dlpipe.targets.registry import target

    return bool(target(name))


def _path(place: str | None) -> Path | None:
    return Path(place) if place is not None else None

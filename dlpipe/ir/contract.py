"""The I/O contract: what travels with a model to every backend, and is checked there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Port(BaseModel):
    """One input or output. A dim is a positive int, or a name (str) when it is symbolic."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    dtype: str  # numpy's name: float32, int64, uint8 ...
    shape: tuple[int | str, ...]
    source: str | None = None  # the tensor's name in the original model, e.g. "Reshape:0"
    layout: str | None = None


class Preprocessing(BaseModel):
    """A part of the original that runs before the ONNX model begins, kept executable by its frontend."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["frontend-subgraph"]
    frontend: str
    file: str  # beside the contract, e.g. "preprocess.pb"
    feeds: str  # what the user's data is fed to, e.g. "wav_data:0"
    accepts: str  # "wav", "image", "text", "tensor"
    operators: tuple[str, ...]
    summary: str  # the one line that is shown


class Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal["dlpipe.io/1"] = "dlpipe.io/1"
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    preprocessing: tuple[Preprocessing, ...] = ()
    labels: tuple[str, ...] = ()
    metadata: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Contract:
        """From `contract.json` in the folder of an IR model."""
        return cls.model_validate_json((folder / "contract.json").read_bytes())

"""The I/O contract: what travels with a model to every backend, and is checked there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from dlpipe.errors import UserError


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


COLOURS = ("rgb", "bgr", "grey")


class PictureSteps(BaseModel):
    """How a picture of values from 0 to 255 becomes one sample of an input: read by `axes`, turned to `colour`, resized
    to `resize` (height, width) with `filter`, its middle of the size `crop` cut out, multiplied by `scale`, and then
    (x - mean) / std, by channel in the order of `colour`. What is None is left as it is; the layout is the input's.

    fit: "stretch" gives the very size, "cover" keeps the proportions and makes it no smaller than that.
    axes: how a stored array is to be read, which may differ from what its shape says: "hwc"; "chw", channels first;
    "whc", height and width exchanged; "flat-chw", bytes that lie channels first in an array that says channels last.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    colour: Literal["rgb", "bgr", "grey"] | None = None
    axes: Literal["hwc", "chw", "whc", "flat-chw"] | None = None
    resize: tuple[PositiveInt, PositiveInt] | None = None
    fit: Literal["stretch", "cover"] = "stretch"
    filter: Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"] = "bilinear"
    crop: tuple[PositiveInt, PositiveInt] | None = None
    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> PictureSteps:
        if 0.0 in (*self.std, self.scale):
            raise ValueError("scale and std are not 0")
        return self


class PicturePreprocessing(BaseModel):
    """What dlpipe itself does to pictures before they are fed to `input`, for the original and every backend alike."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["picture"] = "picture"
    input: str
    steps: PictureSteps
    source: str  # where this is read from: "--preprocess", a file's name ...
    always: bool = False  # for arrays of reals too, which are otherwise taken for prepared already
    summary: str


class Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal["dlpipe.io/1"] = "dlpipe.io/1"
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    preprocessing: tuple[Annotated[Preprocessing | PicturePreprocessing, Field(discriminator="kind")], ...] = ()
    labels: tuple[str, ...] = ()
    metadata: dict[str, Any] = Field(default_factory=dict)

    def sizes_of(self, dims: Mapping[str, int]) -> dict[str, int]:
        """Free dims of the inputs by their own names. `batch` is, where no dim is called so, the first of each input.

        Raises UserError for a name that no input has, and for what is no size.
        """
        free = dict.fromkeys(dim for port in self.inputs for dim in port.shape if isinstance(dim, str) and dim != "*")
        first = [port.shape[0] for port in self.inputs if port.shape and port.shape[0] in free]
        found: dict[str, int] = {}
        for name, size in dims.items():
            meant = [name] if name in free else first if name == "batch" else []
            if not meant:
                known = f"its inputs have {', '.join(free)}" if free else "all sizes of its inputs are fixed"
                raise UserError(f"the model has no free dim {name!r}", hint=known)
            if size < 1:
                raise UserError(f"{name} cannot be {size}: a size is a whole number from 1 on")
            found.update((str(each), size) for each in meant)
        return found

    @classmethod
    def read(cls, folder: Path) -> Contract:
        """From `contract.json` in the folder of an IR model."""
        return cls.model_validate_json((folder / "contract.json").read_bytes())

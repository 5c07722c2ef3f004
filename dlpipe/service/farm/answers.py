"""What a board may answer. It is believed as far as a backend's own run is: its outputs are compared with the original,
its times are its own. What has not this shape fails the task."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MAX_BYTES = 1 << 20  # of an answer as JSON
MAX_RUNS = 10_000

_Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
_Bytes = Annotated[int, Field(ge=0, le=1 << 60)]


class _Run(BaseModel):
    """Of all samples. The runtime's own proof of where it computed stands beside these."""

    model_config = ConfigDict(extra="allow", strict=True)

    machine: str = Field(max_length=64)
    tool: str = Field(max_length=200)
    samples: int = Field(ge=1, le=1 << 40)
    median_seconds: _Seconds


class _Times(BaseModel):
    model_config = ConfigDict(extra="forbid")

    seconds: list[Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]] = Field(max_length=MAX_RUNS)
    load_seconds: _Seconds
    first_seconds: _Seconds | None
    peak_rss: _Bytes


def fault(operation: str, question: dict[str, Any], answer: Any) -> str | None:
    """What is wrong with an answer; None: nothing."""
    try:
        if len(json.dumps(answer, allow_nan=False, ensure_ascii=False).encode()) > MAX_BYTES:
            return "its answer is too long"
        if operation == "run":
            _Run.model_validate(answer)
        elif len(_Times.model_validate(answer).seconds) != question["runs"]:
            return "it was to be timed another number of times"
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"its answer has no good {'.'.join(map(str, first['loc'])) or 'shape'}"
    except ValueError:  # infinities, halves of surrogate pairs
        return "its answer holds what no JSON can"
    return None

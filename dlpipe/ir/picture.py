"""How a picture becomes a model's input, as text: `bgr,resize=256,crop=224,scale=1/255,mean=0.5:0.5:0.5`. Host side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dlpipe.errors import UserError
from dlpipe.ir.carried import from_json
from dlpipe.ir.contract import COLOURS, Contract, PicturePreprocessing, PictureSteps, Port

_HINT = (
    "e.g. --preprocess rgb,resize=256,crop=224,filter=bicubic,scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225"
)


def from_user(text: str, contract: Contract) -> PicturePreprocessing:
    """Of `--preprocess`, for the model's only input that can be a picture. Raises UserError."""
    steps = parse_steps(text)
    pictures = picture_inputs(contract)
    if len(pictures) != 1 or any(part.kind != "picture" for part in contract.preprocessing):
        own = "prepares its inputs itself" if len(pictures) == 1 else f"has {len(pictures)} inputs that can be pictures"
        raise UserError(f"--preprocess is for a model with one input for pictures, and this one {own}")
    summary = f"pictures are prepared as --preprocess says: {option(steps)}"
    return PicturePreprocessing(
        input=pictures[0].name, steps=steps, source="--preprocess", always=True, summary=summary
    )


def picture_inputs(contract: Contract) -> list[Port]:
    """[batch, ...] or [...] with three axes for height, width and channels, of which there are 1, 3 or 4."""
    found = []
    for port in contract.inputs:
        sample = port.shape[1:] if len(port.shape) == 4 else port.shape
        if len(sample) == 3 and (sample[0] in (1, 3, 4) or sample[2] in (1, 3, 4)):
            found.append(port)
    return found


def parse_steps(text: str) -> PictureSteps:
    """Of `--preprocess`. Raises UserError."""
    if text.endswith(".json"):
        return _of_file(Path(text).expanduser())
    found: dict[str, Any] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals and name in COLOURS:
            name, value = "colour", name
        if name not in _READ or name in found:
            raise UserError(f"--preprocess: {part!r} is not understood, or said twice", hint=_HINT)
        try:
            found[name] = _READ[name](value)
        except (ValueError, ZeroDivisionError):
            raise UserError(f"--preprocess: {part!r} is not understood", hint=_HINT) from None
    try:
        return PictureSteps(**found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise UserError(f"--preprocess: {where}: {first['msg']}", hint=_HINT) from None


def _of_file(path: Path) -> PictureSteps:
    try:
        found = from_json(path.read_text(encoding="utf-8"))
        if found is not None:
            return PictureSteps(**found)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--preprocess: cannot read {path}: {error}") from error
    except ValidationError as error:
        raise UserError(f"--preprocess: {path}: {error.errors()[0]['msg']}") from error
    raise UserError(
        f"--preprocess: {path} says nothing of pictures that is understood",
        hint="a preprocessor_config.json of Hugging Face, a config.json of timm, or torchvision's mean, std and sizes",
    )


def option(steps: PictureSteps) -> str:
    """What `parse_steps` reads back."""
    parts: list[str] = [steps.colour] if steps.colour else []
    for name in ("axes", "resize", "fit", "filter", "crop", "scale", "mean", "std"):
        value = getattr(steps, name)
        if value != PictureSteps.model_fields[name].default:
            parts.append(f"{name}={_said(name, value)}")
    return ",".join(parts) or "rgb"


def _said(name: str, value: Any) -> str:
    if name in ("resize", "crop"):
        return "x".join(map(str, value)) if len(set(value)) > 1 else str(value[0])
    if isinstance(value, tuple):
        return ":".join(f"{each:.6g}" for each in value)
    if isinstance(value, float):
        inverse = 1 / value
        return f"1/{inverse:.6g}" if value < 1 and abs(inverse - round(inverse, 1)) < 1e-6 else f"{value:.6g}"
    return str(value)


def _number(text: str) -> float:
    above, slash, below = text.partition("/")
    return float(above) / float(below) if slash else float(above)


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(map(_number, text.split(":")))


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    return int(height), int(width or height)


_READ: dict[str, Callable[[str], Any]] = {
    "colour": str,
    "axes": str,
    "resize": _size,
    "fit": str,
    "filter": str,
    "crop": _size,
    "scale": _number,
    "mean": _numbers,
    "std": _numbers,
}

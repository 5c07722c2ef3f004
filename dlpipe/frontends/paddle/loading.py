"""Programs of Paddle 2 and 3, loaded by Paddle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paddle
from dlpipe_worker import Refused

TOOL = f"paddle {paddle.__version__}"
_PARAMS = ("__params__", "params")  # beside `__model__`, by custom

paddle.enable_static()


@dataclass(frozen=True)
class Program:
    """old: the program of Paddle 2, which its own interpreter runs. feeds: names; fetches: what Paddle returns. params:
    None where there are none, or each has a file of its own, as Paddle 1 wrote them."""

    program: Any
    executor: Any
    feeds: list[str]
    fetches: list[Any]
    old: bool
    model: Path
    params: Path | None

    def files(self) -> list[str]:
        """What Paddle's inference engine opens it by: program and weights, or the folder of Paddle 1."""
        if self.params is None and not self.model.suffix:
            return [str(self.model.parent)]
        return [str(self.model), str(self.params or "")]

    def names(self) -> list[str]:
        """Of the outputs: the variable's in an old program; in a new one they have none, and are numbered."""
        return [str(each.name) if self.old else f"fetch_name_{index}" for index, each in enumerate(self.fetches)]


def load(folder: str, entry: str, form: str) -> Program:
    """Raises Refused for what Paddle cannot load."""
    model = Path(folder, entry)
    old = form == "paddle/program"
    params = _find_params(model)
    executor = paddle.static.Executor(paddle.CPUPlace())
    place, more = str(model.with_suffix("")), {}
    if params or not model.suffix:
        place, more = str(model.parent), {"model_filename": model.name}
    if params:
        more["params_filename"] = params.name
    try:
        with paddle.pir_utils.OldIrGuard() if old else paddle.pir_utils.IrGuard():
            program, feeds, fetches = paddle.static.load_inference_model(place, executor, **more)
            if old:
                complete(program)
    except Exception as error:  # Paddle raises nearly everything
        if params is None and model.stat().st_size:
            beside = f"{model.stem}.pdiparams (one file)" if model.suffix else "__params__, or a file for each of them,"
            raise Refused(f"the weights of {entry} are missing", hint=f"put {beside} beside it") from error
        raise Refused(f"Paddle cannot load {entry}: {told(error)}", hint="is the download or copy complete?") from error
    if not fetches:
        raise Refused(f"{entry} has no output: it is no program for inference", hint="save it with paddle.jit.save")
    return Program(program, executor, list(feeds), list(fetches), old, model, params)


def complete(program: Any) -> None:
    """Attributes that the version which wrote the program did not have get their defaults."""
    for block in program.blocks:
        for op in block.ops:
            op.desc.check_attrs()


def told(error: BaseException) -> str:
    """Paddle puts a trace of C++ before what it has to say."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    useful = [line for line in lines if line.startswith(("(", "[Hint")) or "Error" in line]
    return (useful or lines or [type(error).__name__])[0][:300]


def _find_params(model: Path) -> Path | None:
    """The file of weights beside the program."""
    named = [model.with_suffix(".pdiparams"), *(model.with_name(name) for name in _PARAMS)]
    found = [path for path in named if path.is_file()]
    if not found:
        others = sorted(model.parent.glob("*.pdiparams"))
        if len(others) > 1:
            listed = ", ".join(path.name for path in others)
            raise Refused(f"several files of weights stand beside {model.name}: {listed}", hint="keep the right one")
        found = others
    return found[0] if found else None

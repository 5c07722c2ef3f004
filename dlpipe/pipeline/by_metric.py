"""The stages that judge by a metric, and what one of the user's own needs: its code, and a toolchain of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dlpipe.contracts.json import digest
from dlpipe.errors import UserError
from dlpipe.measure import Metric, accuracy_call, default_metric, parse_metric
from dlpipe.measure.metric import Truth
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage
from dlpipe.pipeline.usercode import find_code

_TOOLCHAIN = """name = "{name}"
summary = "packages of a metric of the user's own, from {file}"
python = "3.11"
requirements = [
{lines}]
"""


def settled(session: Session, metric: Metric | None, truth: Truth) -> Metric:
    """What is judged by: `metric`, or what suits the labels; with its code in the store where it is the user's.
    Raises UserError."""
    if metric is None:
        return default_metric(truth)
    if metric.compute != "own" or metric.code is not None:
        return metric
    function, files = find_code(metric.name, Path.cwd() / "here", option="--metric")
    code = f"tree:{session.store.ingest_files(files).digest}"
    toolchain = _toolchain(session, metric.requirements) if metric.requirements is not None else metric.toolchain
    return replace(metric, code=code, toolchain=toolchain, settings={**metric.settings, "function": function})


def accuracy_stage(id_: str, metric: Metric, inputs: Mapping[str, str], *, required: bool = True) -> Stage:
    """inputs: `candidate`, `labels`, and `reference` where there is one."""
    code = {"code": metric.code} if metric.code is not None else {}
    return Stage(id_, "measure", accuracy_call(metric), {**inputs, **code}, required=required)


def with_requirements(text: str | None, requirements: Path | None) -> Metric | None:
    """Of `--metric` and `--requirements`. Raises UserError."""
    metric = parse_metric(text) if text else None
    if requirements is None:
        return metric
    if metric is None or metric.compute != "own":
        raise UserError("--requirements goes with a --metric of your own", hint="e.g. --metric mine.py:score")
    return replace(metric, requirements=requirements)


def _toolchain(session: Session, file: Path) -> str:
    """The name of a toolchain with just these packages, and NumPy. It is resolved once, and kept in the cache."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the requirements: {error}") from error
    lines = [line.partition(" #")[0].strip() for line in text.splitlines()]
    wanted = [line for line in lines if line and not line.startswith("#")]
    odd = [line for line in wanted if line.startswith("-") or '"' in line or "\\" in line or "/" in line]
    if odd:
        raise UserError(f"{file}: {odd[0]!r} is no package", hint="one package a line, e.g. scikit-learn==1.9.1")
    if not any(line.lower().startswith("numpy") for line in wanted):
        wanted.append("numpy")
    name = f"user-{digest({'requirements': wanted})[:12]}"
    folder = session.cache / "user-toolchains" / name
    if not (folder / "toolchain.toml").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        said = "".join(f'    "{line}",\n' for line in wanted)
        (folder / "toolchain.toml").write_text(
            _TOOLCHAIN.format(name=name, file=file.name.replace('"', ""), lines=said), encoding="utf-8"
        )
    session.toolchains.registry.add(folder)
    if not (folder / "toolchain.lock").is_file():
        if session.toolchains.offline:
            raise UserError(f"the packages of {file} have not been resolved yet, and downloads are off")
        session.toolchains.lock(name)
    return name

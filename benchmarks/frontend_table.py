"""docs/frontends.md: every model below some folders, imported by its frontend and compared with the original.

Run it as `python benchmarks/frontend_table.py FOLDER... [--out docs/frontends.md] [--only TEXT]`. What a file needs to
be told (a factory, an input's shape) stands in frontend_table.toml beside this file, by the end of its path. Archives
named there are unpacked first. A file that belongs to another one (weights, labels) is no row of its own.
"""

from __future__ import annotations

import argparse
import os
import tarfile
import tempfile
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from dlpipe.errors import DlpipeError
from dlpipe.frontends.registry import frontends
from dlpipe.pipeline.imported import sniff
from dlpipe.pipeline.proven import prove_import
from dlpipe.pipeline.request import ConvertRequest, import_options
from dlpipe.pipeline.session import Session

SETTINGS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
NO_MODELS = tuple(SETTINGS["no_models"])
FOLDERS = ("saved_model.pb", "graph.nnef", "metadata")  # what makes a folder a model


@dataclass(frozen=True)
class Row:
    file: str
    format: str
    framework: str
    tool: str = ""
    max_abs: float | None = None
    max_rel: float | None = None
    reason: str = ""
    expected: bool = False  # a negative case of the settings, refused as it should be
    resolved: bool = False  # equal within the steps in which the original itself gives its outputs

    @property
    def converted(self) -> bool:
        return bool(self.tool)


def candidates(root: Path) -> Iterator[Path]:
    for folder, below, files in os.walk(root):
        if any(name in files or name in below for name in FOLDERS):
            below.clear()
            yield Path(folder)
            continue
        below.sort()
        for name in sorted(files):
            if "." in name and not name.endswith(NO_MODELS):
                yield Path(folder, name)


def settings_of(path: Path) -> dict[str, Any]:
    patterns = SETTINGS["files"].items()
    return next((each for pattern, each in patterns if fnmatch(path.as_posix(), f"*{pattern}")), {})


def examine(session: Session, path: Path, shown: str) -> Row | None:
    """None for a file that is no model, or only a part of one."""
    options = settings_of(path)
    session.executor.forget(list(session.executor.outcomes))
    try:
        opened = sniff(session, str(path), factory=options.get("factory"))
    except DlpipeError as error:
        row = Row(shown, "-", "refused", reason=_line(error), expected=_expected(error, options))
        return row if options else None
    sniffed = opened.sniffed
    if path.is_file() and sniffed.entry != path.name:
        return None
    asked = import_options(
        options.get("input"),
        options.get("output"),
        options.get("shape"),
        options.get("unsafe_load", False),
        options.get("factory"),
    )
    golden = _golden(path, options)
    try:
        proven = prove_import(session, ConvertRequest(str(path), (), options=asked, reference=golden))
    except DlpipeError as error:
        expected = _expected(error, options)
        return Row(shown, sniffed.format, opened.frontend.name, reason=_line(error), expected=expected)
    fidelity = session.executor.outcomes[f"fidelity:{proven.imported.ir}"].value
    tool = f"{session.executor.outcomes['reference'].value['tool']} ({proven.samples.kind})"
    refused = "; ".join(f"route {route} refused: {why}" for route, why in proven.refused.items())
    return Row(
        shown,
        sniffed.format,
        opened.frontend.name,
        tool,
        fidelity["max_abs"],
        fidelity["max_rel"],
        refused,
        resolved=(fidelity["max_rel"] or 0.0) > (fidelity["tolerance"] or 1.0),
    )


def _golden(path: Path, options: dict[str, Any]) -> Path | None:
    """The record of inputs and outputs that came with the model, where the settings name one and it is there."""
    file = (path if path.is_dir() else path.parent) / options.get("reference", "")
    return file if file.is_file() else None


def _expected(error: DlpipeError, options: dict[str, Any]) -> bool:
    return any(part.lower() in error.message.lower() for part in options.get("refused", ()))


def _line(error: DlpipeError) -> str:
    return error.message.partition("\n")[0]


def unpacked(roots: list[Path], scratch: Path) -> Iterator[tuple[Path, str]]:
    """(root, what its files' paths begin with)."""
    for root in roots:
        yield root, root.name
        for pattern in SETTINGS["archives"]:
            for archive in sorted(root.rglob(pattern)):
                place = scratch / archive.name.partition(".")[0]
                with tarfile.open(archive) as file:
                    file.extractall(place, filter="data")
                yield place, place.name


def markdown(rows: list[Row], seconds: float) -> str:
    by: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by[row.framework].append(row)
    lines = [
        "# Frontends: what was tried, and what came of it",
        "",
        "Made by `python benchmarks/frontend_table.py`, which imports every file below the folders it is given and",
        "compares the result with the original, executed by the tool named (`original`: the model's own framework;",
        "`independent`: another implementation; `own`: dlpipe's interpreter, which proves nothing alone).",
        "`max rel` is the largest difference in units of the output's range; the limit for float models is 1e-4.",
        "A star marks outputs that are quantised, or a sigmoid's, softmax's or tanh's of tiny range, and equal within",
        "their own steps (dlpipe/measure/tolerances.py); they do not count in the summary.",
        "",
        "| frontend | files | converted | max abs | max rel | refused as expected | failed |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, mine in sorted(by.items()):
        good = [row for row in mine if row.converted]
        expected = sum(row.expected for row in mine)
        plain = [row for row in good if not row.resolved]
        worst = [max((getattr(row, field) or 0.0 for row in plain), default=None) for field in ("max_abs", "max_rel")]
        cells = [name, len(mine), len(good), *map(_figure, worst), expected, len(mine) - len(good) - expected]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    for name, mine in sorted(by.items()):
        lines += ["", f"## {name}", "", "| file | format | executed by | max abs | max rel | remarks |"]
        lines += ["|---|---|---|---|---|---|"]
        lines += [
            f"| {row.file} | {row.format} | {row.tool or '-'} | {_figure(row.max_abs)} | {_figure(row.max_rel)}"
            f"{'*' if row.resolved else ''} | {'as expected: ' if row.expected else ''}{row.reason.replace('|', '/')} |"
            for row in mine
        ]
    return "\n".join([*lines, "", f"{len(rows)} files in {seconds / 60:.0f} minutes.", ""])


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.1e}" if value else "0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/frontends.md"))
    parser.add_argument("--only", default="", help="paths that contain this text")
    arguments = parser.parse_args()
    started = time.monotonic()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch, Session() as session:
        print("frontends:", ", ".join(frontends()))
        for root, name in unpacked(arguments.folders, Path(scratch)):
            for path in candidates(root):
                shown = f"{name}/{path.relative_to(root).as_posix()}"
                if arguments.only in shown:
                    row = examine(session, path, shown)
                    if row is not None:
                        rows.append(row)
                        print(f"{shown}: {row.tool or row.reason} {_figure(row.max_rel)}", flush=True)
    arguments.out.write_text(markdown(rows, time.monotonic() - started), encoding="utf-8")


if __name__ == "__main__":
    main()

"""docs/passes.md: each pass, chain and recipe on trained models with real data, beside what other tools make of them.

Run it as `python benchmarks/passes_table.py MODELS [--only NAME ...]`, MODELS being the folder with the models and data
that passes_table.toml names. A model's figures replace those that benchmarks/results/passes_table.json has of it, so
that models can be run one by one: `--missing` runs those of which this machine has no figures, so that the same command
goes on where it was stopped; `--page` writes the page from that file and runs nothing. A model that fails is said, and
the next one is run; figures of it that are there stay.

Everybody is judged alike: the same imported model, calibration samples and evaluation samples (which share none), the
same process for all timings of a model, in turns. What has been made before comes from dlpipe's store; times never do.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

from comparison.candidates import Maker
from comparison.compressed import compressed
from comparison.judging import judge
from comparison.models import prepare
from comparison.page import render
from comparison.processor import integers
from comparison.records import Records
from comparison.workshop import Workshop

from dlpipe.errors import DlpipeError, Interrupted
from dlpipe.pipeline.events import Event, ToolchainMessage
from dlpipe.pipeline.session import Session

HERE = Path(__file__).parent
SETTINGS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
RESULTS = HERE / "results"


def examine(session: Session, name: str, root: Path) -> dict[str, Any]:
    """The record of one model; {"title", "reason"} where it or its data cannot be had here."""
    settings = SETTINGS["models"][name]
    started, taken = time.monotonic(), dict[str, float]()

    def lap(what: str) -> None:
        taken[what] = round(time.monotonic() - started - sum(taken.values()), 1)

    try:
        shop = Workshop(session)
        model = prepare(shop, name, settings, root, seed=SETTINGS["seed"], most=SETTINGS["evaluation"])
        lap("imported")
        print(f"{name}: {model.counts}, original {model.original}", flush=True)
        candidates = Maker(shop, model, SETTINGS).all()
        lap("made")
        candidates += [compressed(shop, model, SETTINGS, backend) for backend in SETTINGS["backends"]]
        lap("compressed")
        found = judge(shop, model, candidates, SETTINGS, lambda what: print(f"{name}: {what}", flush=True))
        lap("judged and timed")
    except Interrupted:
        raise
    except DlpipeError as error:
        found = {"title": settings["title"], "reason": error.message.partition("\n")[0]}
    return {**found, "machine": session.machine, "integers": integers(), "seconds": taken}


def shown(record: dict[str, Any]) -> None:
    for name, row in record.get("candidates", {}).items():
        cells = [row["reason"]] if row.get("reason") else [f"{row['bytes'] / 1000:.0f} kB"]
        for backend, found in row["backends"].items():
            cells.append(f"{backend}: {found['reason']}" if "reason" in found else f"{backend}: {_figures(found)}")
        print(f"  {name:34} {' | '.join(cells)}", flush=True)


def _figures(found: dict[str, Any]) -> str:
    return f"{found['quality']['value']:.2f} {found['lost']['value']:+.2f} {found['faster']['value']:.2f}x"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="?", type=Path, help="the folder of models and data")
    parser.add_argument("--only", nargs="+", default=list(SETTINGS["models"]), choices=list(SETTINGS["models"]))
    parser.add_argument("--missing", action="store_true", help="of these, those without figures of this machine")
    parser.add_argument("--page", action="store_true", help="only write the page anew")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "passes.md")
    parser.add_argument("--results", type=Path, default=RESULTS / "passes_table.json")
    arguments = parser.parse_args()
    records, failed = Records(arguments.results), list[str]()
    if not arguments.page:
        if arguments.models is None:
            parser.error("name the folder of models and data, or give --page")
        with Session(jobs=1, listeners=[_tell]) as session:
            machine = session.machine
            for name in records.missing(arguments.only, machine) if arguments.missing else arguments.only:
                record = examine(session, name, arguments.models.resolve())
                shown(record)
                spent = ", ".join(f"{what} {seconds:.0f} s" for what, seconds in record["seconds"].items())
                print(f"{name}: {spent}, load {os.getloadavg()[0]:.1f}", flush=True)
                records.keep(name, record)
                failed += [f"{name}: {record['reason']}"] if "reason" in record else []
    arguments.out.write_text(render(records.all(), SETTINGS, RESULTS), encoding="utf-8")
    print("\n".join(["not run:", *failed]) if failed else "", end="\n" if failed else "")
    return 1 if failed else 0


def _tell(event: Event) -> None:
    if isinstance(event, ToolchainMessage):
        print(event.message, flush=True)


if __name__ == "__main__":
    sys.exit(main())

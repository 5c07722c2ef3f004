"""docs/targets.md: models x targets x backends: what was built, where it ran, how near it is, how fast it starts.

Run it as `python benchmarks/targets_table.py MODELS [--model NAME ...] [--target NAME ...]`, MODELS being the folder
with the models that targets_table.toml names. Each pair of model and target is one `dlpipe convert --backend all` for
each precision; its figures replace those that benchmarks/results/targets_table.json has of it, and say on which machine
they were made, when, and how loaded it was. `--page` writes the page from that file and runs nothing. What waits for a
licence (QNN, RKNN, TensorRT for RTX, CUDA's compiler) is built where DLPIPE_ACCEPT_LICENCES is set.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deployment.page import render

from dlpipe.measure.machine import fingerprint, machine_name
from dlpipe.report.schema import Artifact
from dlpipe.report.summary import estimates
from dlpipe.targets.registry import targets
from dlpipe.toolchains.manager import Toolchains

HERE = Path(__file__).parent
SETTINGS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
FILE = HERE / "results" / "targets_table.json"
PAGE = HERE.parent / "docs" / "targets.md"
KEPT = (
    "target",
    "backend",
    "variant",
    "verdict",
    "reason",
    "ran_on",
    "provenance",
    "size_bytes",
    "fidelity",
    "accuracy",
)
COSTS = ("latency_p50", "cold_start", "warm_start")


def pairs() -> Iterator[tuple[str, str, str]]:
    """(model, target, precision), as the settings say."""
    for run in SETTINGS["runs"]:
        for model in run.get("models", SETTINGS["models"]):
            for precision in run["precisions"]:
                yield model, run["target"], precision


def convert(model: str, target: str, precision: str, root: Path, made: Path) -> dict[str, Any]:
    """{"artifacts": [...]}, or {"reason"} where there was no report; either with {"created", "machine", "load"}: how
    many processes wanted a CPU, in the minute before the run and in its last."""
    before = os.getloadavg()[0]
    found = _converted(model, target, precision, root, made)
    load = [round(each, 1) for each in (before, os.getloadavg()[0])]
    created = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {"created": created, "machine": machine_name(fingerprint()), "load": load, **found}


def _converted(model: str, target: str, precision: str, root: Path, made: Path) -> dict[str, Any]:
    settings = SETTINGS["models"][model]
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).with_name("dlpipe")), "convert", str(_place(settings["file"], root, made))]
        command += ["--target", target, "--backend", "all", "--precision", precision, "--json", "--yes"]
        command += ["--out", f"{folder}/out", *settings.get("options", ())]
        command += ["--data", str(_place(settings["data"], root, made))] if "data" in settings else []
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60 * SETTINGS["minutes"])
        except subprocess.TimeoutExpired:
            return {"reason": f"not finished in {SETTINGS['minutes']} minutes"}
    try:
        report = json.loads(done.stdout)
    except ValueError:
        return {"reason": (done.stderr.strip().splitlines() or ["it said nothing"])[-1]}
    if "artifacts" not in report:
        return {"reason": report.get("error", {}).get("message", "there is no report")}
    return {"artifacts": [_row(each) for each in report["artifacts"]]}


def _place(name: str, root: Path, made: Path) -> Path:
    if name.startswith("zoo/"):
        return HERE.parent / name
    return made / name.removeprefix("made/") if name.startswith("made/") else root / name


def _row(artifact: dict[str, Any]) -> dict[str, Any]:
    row = {key: artifact[key] for key in KEPT}
    cost = artifact["cost"]
    row["cost"] = {key: cost[key] for key in COSTS if key in cost}
    row["estimates"] = {key: each for key, each in cost.items() if each["provenance"] == "estimated" and key != "macs"}
    said = estimates(Artifact.model_validate(artifact))
    row["unknown"] = {name: each.reason for name, each in said.items() if each.value is None}
    fidelity = row.pop("fidelity") or {}
    row["fidelity"] = {key: fidelity.get(key) for key in ("max_rel", "cosine", "passed")}
    row["drop"] = (row.pop("accuracy") or {}).get("drop")
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, help="folder with the models of targets_table.toml")
    parser.add_argument("--model", action="append", help="only this one; may be given more than once")
    parser.add_argument("--target", action="append", help="only this one; may be given more than once")
    parser.add_argument("--missing", action="store_true", help="only what has no figures yet")
    parser.add_argument("--page", action="store_true", help="run nothing, write the page")
    asked = parser.parse_args()
    found = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    wanted = [] if asked.page else list(pairs())
    with tempfile.TemporaryDirectory() as made:
        if wanted:
            python = Toolchains().ensure("core").python
            subprocess.run([str(python), str(HERE / "deployment/networks.py"), made], check=True)
        for model, target, precision in wanted:
            key = f"{model}/{target}/{precision}"
            left_out = (asked.model and model not in asked.model) or (asked.target and target not in asked.target)
            if left_out or (asked.missing and key in found):
                continue
            found[key] = convert(model, target, precision, asked.models, Path(made))
            FILE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            print(key, found[key].get("reason") or f"{len(found[key]['artifacts'])} artefacts", flush=True)
    titles = {name: each["title"] for name, each in SETTINGS["models"].items()}
    PAGE.write_text(render(found, titles, targets()), encoding="utf-8")


if __name__ == "__main__":
    main()

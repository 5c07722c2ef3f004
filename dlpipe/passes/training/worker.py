"""The operations of the passes that train. Runs in the toolchain `training`."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused, Request, operation

# Before torch is imported: threads that wait for work must not spin. Beside other load on the machine a training step
# took ten times as long with it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from ..graph import infra
from . import catalogue, running, synthesising

_EVENTS = "training"  # in an IR folder: a folder for each training that the model went through
_STATE = "events"  # in a state folder: TensorBoard's files so far


@operation
def apply(request: Request) -> object:
    """ir, train (+ teacher, state) -> ir, with TensorBoard's files in `training/<number>-<pass>/`. params: "pass" (its
    name) and the pass's own parameters. With a state, the training goes on from there.

    Returns what every pass does: {modified, nodes_before, nodes_after, changes: [str]}, and how the training went.
    """
    name, out, work = request.params["pass"], Path(request.out), _work(request)
    with _events(work) as events:
        value = infra.apply(catalogue.PASSES[name](events), work, out)
        (out / _EVENTS).mkdir(exist_ok=True)
        number = 1 + len(list((out / _EVENTS).iterdir()))
        shutil.copytree(events, out / _EVENTS / f"{number}-{name}")
    return value


@operation
def advance(request: Request) -> object:
    """ir, train (+ teacher, state) -> state: a training as `apply` has it, up to the share params["until"] (0 to 1) of
    the whole. What is killed behind it goes on from it. Value: {steps, history, ...}."""
    out, work = Path(request.out), _work(request)
    with _events(work) as events:
        model, name = running.load(work), request.params["pass"]
        catalogue.PASSES[name](events).requires(model)
        state, value = running.lead(model, work, events, catalogue.PREPARES[name], until=request.params["until"])
        state.save(out)
        shutil.copytree(events, out / _STATE)
    return value


@operation
def make_up(request: Request) -> object:
    """ir -> samples: `samples.npz` without labels, from what batch norms remember (see `synthesising.py`). params:
    count, batch, steps, rate, seed, dims {name of a free dim: its size; 1 where it is the first}.

    Value: {"count", "noise_distance", "distance"}: of the statistics, in stored deviations."""
    params, folder = dict(request.params), Path(request.inputs["ir"])
    dims = params.pop("dims")
    contract = json.loads((folder / "contract.json").read_bytes())
    sizes = {port["name"]: _sizes(port, dims) for port in contract["inputs"]}
    plan = synthesising.Plan(**params)
    arrays, noise, made = synthesising.synthesise(running.load(_work(request)), sizes, plan, request.progress)
    np.savez(Path(request.out) / "samples.npz", allow_pickle=False, **arrays)
    return {"count": plan.count, "noise_distance": noise, "distance": made}


def _sizes(port: dict[str, Any], dims: dict[str, int]) -> list[int]:
    sizes = []
    for place, size in enumerate(port["shape"]):
        if isinstance(size, str) and size not in dims and place > 0:
            raise Refused(
                f"the input {port['name']!r} has a free dim {size!r}",
                kind="unsupported",
                hint=f"dims={{{size!r}: SIZE}}",
            )
        sizes.append(dims.get(size, 1) if isinstance(size, str) else size)
    return sizes


@operation
def follow(request: Request) -> object:
    """As a further process of a team (see `ranks.py`)."""
    params = request.params
    prepare = catalogue.PREPARES[params["pass"]]
    running.follow(_work(request), prepare, params["rank"], params["count"], Path(params["meeting"]))
    return None


def _work(request: Request) -> infra.Work:
    """With the pass's name among the parameters: further processes of a team are told them."""
    return replace(infra.Work.of(request), params=request.params)


@contextmanager
def _events(work: infra.Work) -> Iterator[Path]:
    """A folder for TensorBoard's files, with those of the parts before in it."""
    with tempfile.TemporaryDirectory() as scratch:
        if "state" in work.inputs:
            shutil.copytree(work.inputs["state"] / _STATE, scratch, dirs_exist_ok=True)
        yield Path(scratch)

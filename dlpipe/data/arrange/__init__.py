"""Bringing samples into the shape that a model takes: bind, choose, rename, summarise. Host side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dlpipe.contracts.call import Call

_WORKER = Path(__file__).with_name("worker.py")


def prepare_call(limit: int, seed: int, model_labels: Sequence[str]) -> Call:
    """Inputs: `ir` (its contract.json), `data` (samples.npz, labels.json). Output: samples.npz with one array
    [N, *shape] per model input, and labels.json whose labels are indices into `model_labels`.

    At most `limit` samples, chosen with `seed`. Value: {"count", "labelled", "names"}.
    """
    return Call("core", _WORKER, "prepare", {"limit": limit, "seed": seed, "model_labels": list(model_labels)})


def subset_call(limit: int, seed: int) -> Call:
    """Input: `data` (samples.npz or outputs.npz, and labels.json if any). The same limit and seed choose the same
    samples of folders with equally many. Value: {"count"}."""
    return Call("core", _WORKER, "subset", {"limit": limit, "seed": seed})


def rename_call(names: Mapping[str, str]) -> Call:
    """Input: `data` (samples.npz or outputs.npz). Arrays are renamed from key to value."""
    return Call("core", _WORKER, "rename", {"names": dict(names)})


def summarise_call(model_labels: Sequence[str]) -> Call:
    """Inputs: `data` (outputs.npz), `items` (labels.json if any).

    Value: {"results": [{"item", "output", "shape", "label", "score"}]}, at most 1,000 of them.
    """
    return Call("core", _WORKER, "summarise", {"model_labels": list(model_labels)})

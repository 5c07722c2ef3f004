"""Bringing samples into the shape that a model takes: bind, choose, rename, summarise. Host side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dlpipe.contracts.call import Call
from dlpipe.ir.contract import Port

_WORKER = Path(__file__).with_name("worker.py")
_BATCH = Path(__file__).with_name("batch.py")


def prepare_call(limit: int, seed: int, model_labels: Sequence[str]) -> Call:
    """Inputs: `ir` (its contract.json), `data` (samples.npz, labels.json). Output: samples.npz with one array
    [N, *shape] per model input, and labels.json whose labels are indices into `model_labels`.

    At most `limit` samples, chosen with `seed`. Value: {"count", "labelled", "names", "truth", "gaps"}: `truth` says
    what a label is (`readers/labels.py`), `gaps` which samples hold NaN, or is None.
    """
    return Call("core", _WORKER, "prepare", {"limit": limit, "seed": seed, "model_labels": list(model_labels)})


def given_call(inputs: Sequence[Port]) -> Call:
    """Input: `data`, a samples.npz that the user gave. Output: samples.npz with its arrays of these inputs. Value:
    {"count"}."""
    ports = [{"name": each.name, "shape": list(each.shape), "dtype": each.dtype} for each in inputs]
    return Call("core", _WORKER, "given", {"inputs": ports})


def subset_call(limit: int, seed: int) -> Call:
    """Input: `data` (samples.npz or outputs.npz, and labels.json if any). The same limit and seed choose the same
    samples of folders with equally many. Value: {"count"}."""
    return Call("core", _WORKER, "subset", {"limit": limit, "seed": seed})


def pick_call(numbers: Sequence[int] | None = None, names: Sequence[str] | None = None) -> Call:
    """Input: as `subset_call`. The samples of these numbers, from 0 on, and the arrays of these names; None: all.
    Value: {"count"}."""
    params = {
        "numbers": numbers if numbers is None else list(numbers),
        "names": names if names is None else list(names),
    }
    return Call("core", _WORKER, "pick", params)


def nudge_call(seed: int) -> Call:
    """Input: `data` (samples.npz). Output: the same, each float32 in it the next one above or below, as `seed` says.
    Value: {"count"}."""
    return Call("core", _WORKER, "nudge", {"seed": seed})


def part_call(start: float, end: float, seed: int, limit: int | None = None) -> Call:
    """Input: as `subset_call`. All samples are shuffled with `seed`, and those from the share `start` to the share
    `end` (0 to 1) are taken, at most `limit`; they keep their order. Parts that do not overlap share no sample, and
    the same numbers choose the same samples of folders with equally many.

    Value: {"count", "of", "labelled", "names", "truth"}.
    """
    return Call("core", _WORKER, "part", {"start": start, "end": end, "seed": seed, "limit": limit})


def rename_call(names: Mapping[str, str], dtypes: Mapping[str, str] | None = None) -> Call:
    """Input: `data` (samples.npz or outputs.npz). Arrays are renamed from key to value. dtypes: new name -> the type
    that it is brought to."""
    params = {"names": dict(names)}
    return Call("core", _WORKER, "rename", {**params, "dtypes": dict(dtypes)} if dtypes else params)


def inside_call(inputs: Sequence[str], outputs: Sequence[str]) -> Call:
    """Inputs: `samples` (samples.npz), `values` (outputs.npz: what a model that was fed with them computes inside).
    Output: what a part of that model is fed with (samples.npz: the samples, and the values named `inputs`) and what it
    shall answer (outputs.npz: those named `outputs`)."""
    return Call("core", _WORKER, "inside", {"inputs": list(inputs), "outputs": list(outputs)})


def join_call(count: int) -> Call:
    """Input: `data` (samples.npz, [N, 1, ...] per input). Output: its first `count` samples as one, [1, count, ...].
    Raises Unsupported where there are fewer."""
    return Call("core", _BATCH, "join", {"count": count})


def split_call(count: int) -> Call:
    """Input: `data` (outputs.npz, [1, count * k, ...] per output: the answer to joined samples). Output: the same as
    [count, k, ...], as single samples give it. Raises Unsupported where the rows cannot be shared out so."""
    return Call("core", _BATCH, "split", {"count": count})


def summarise_call(model_labels: Sequence[str]) -> Call:
    """Inputs: `data` (outputs.npz), `items` (labels.json if any).

    Value: {"results": [{"item", "output", "shape", "label", "score"}]}, at most 1,000 of them.
    """
    return Call("core", _WORKER, "summarise", {"model_labels": list(model_labels)})

"""Run the float model on samples and show its activations to observers, which keep of them what they need."""

import math
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from dlpipe_worker import Refused
from onnx_ir.passes import common

from ....ir.graph import executing, feeding, portions

Observer = Callable[[Any], object]

_BUDGET = 256 << 20  # bytes of activations that are held at once
_BATCH = 2 << 20  # bytes of activations that a batch may make: more of them leave the caches
_MOST = 4  # samples in a batch: with more, calling hardly costs less, and memory more
_UNKNOWN = 8 << 20  # what a tensor of unknown shape is taken to need
_SMALL = 64 << 20  # bytes of weights that go to the runtime without a file between: it would take a third of the time
_SAME = 1e-3  # of an output's range: how far a sample may move by being one of a batch
_PARTS = 4  # of the graph, each seen on samples of its own: with more, opening sessions costs what running them saves


def observe(
    model: ir.Model,
    observers: Mapping[ir.Value, Observer],
    samples: Path,
    progress: Callable[[str, float | None], object] = lambda *_: None,
    *,
    most: int | None = None,
    enough: int | None = None,
    one_by_one: bool = False,
) -> int:
    """Call observers[value](array) for that tensor, until all samples were seen, or `most` of them, spread over all.
    Returns their number.

    model: with inferred shapes; it stays as it is. samples: an .npz with [N, *input_shape] per input. Memory is bounded
    by the model plus about 256 MB: of a large model some tensors at a time, with a run for each such group. With
    `enough`, a tensor need not see more samples than that: the graph is looked at in parts, from its inputs on, each on
    its own share of the samples, and no sample is left out. A sample runs no further than its part reaches. Where the
    first axis of all inputs and outputs is one free dim, and a batch gives what its samples give one by one, several
    samples are run at once, and an array holds them along that axis; with `one_by_one` observers get each by itself.
    """
    given = feeding.Samples(samples, [str(port.name) for port in model.graph.inputs], most)
    groups = _groups(model, observers, parts(given.count, enough))
    shares = _shares(given.count, len(groups), given.count if enough is None else enough)
    done, total = 0, sum(map(len, shares))
    for group, share in zip(groups, shares, strict=True):
        session = _session(model, group) if any(value.producer() is not None for value in group) else None
        size = min(batch_size(group), len(share))
        joined = (
            session is not None and size > 1 and _has_free_batch(model) and _batch_is_the_same(session, given, size)
        )
        rows = given.some(share)
        while batch := list(islice(rows, size)):
            apart = len(batch) if joined and one_by_one else 1
            for feed in [_joined(batch)] if joined else batch:
                _show(session, feed, group, observers, apart)
            done += len(batch)
            progress("calibrating", done / total)
    return given.count


def batch_size(values: Sequence[ir.Value]) -> int:
    """Samples that are run at once, where they can be."""
    return max(1, min(_MOST, _BATCH // max(sum(map(_bytes, values)), 1)))


def parts(count: int, enough: int | None) -> int:
    """In how many the graph is looked at, so that each sees at least `enough` of the samples."""
    return 1 if enough is None else max(1, min(_PARTS, count // enough))


def _groups(model: ir.Model, values: Iterable[ir.Value], wanted: int) -> list[list[ir.Value]]:
    """As many as are wanted, of about the same size, or more where memory has no room; from the inputs on."""
    places = {value: place for place, node in enumerate(model.graph) for value in node.outputs}
    ordered = sorted(values, key=lambda value: places.get(value, -1))
    share = math.ceil(sum(map(_bytes, ordered)) / wanted)
    return list(portions.within(min(_BUDGET, share), ordered, _bytes))


def _shares(count: int, groups: int, enough: int) -> list[list[int]]:
    """Which samples each group sees: no fewer than `enough` of them, and together all. By lot, the same one every time:
    data whose classes take turns would else give a group one class only."""
    order = np.random.default_rng(0).permutation(count)
    size = min(count, max(enough, -(-count // max(groups, 1))))
    starts = [group * count // groups for group in range(groups)]
    return [sorted(np.take(order, range(start, start + size), mode="wrap").tolist()) for start in starts]


def _show(
    session: Any, feed: dict[str, Any], group: list[ir.Value], observers: Mapping[ir.Value, Observer], apart: int
) -> None:
    """apart: how many arrays observers get in place of one."""
    computed = [value for value in group if value.name not in feed]
    names = [str(value.name) for value in computed]
    with executing.refusing("failed to run the model"):
        arrays = session.run(names, feed) if session is not None else []
    found = dict(zip(computed, arrays, strict=True))
    for value in group:
        array = found[value] if value in found else feed[str(value.name)]
        for part in np.split(array, apart) if apart > 1 else [array]:
            observers[value](part)


def _joined(batch: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: np.concatenate([sample[name] for sample in batch]) for name in batch[0]}


def _has_free_batch(model: ir.Model) -> bool:
    """Whether the first dim of all inputs and outputs is the same symbol."""
    firsts = [None if not port.shape else port.shape[0] for port in (*model.graph.inputs, *model.graph.outputs)]
    return all(isinstance(dim, ir.SymbolicDim) and dim.value is not None for dim in firsts) and len(set(firsts)) == 1


def _batch_is_the_same(session: Any, given: feeding.Samples, size: int) -> bool:
    """Tried on the first batch, of which the first and the last sample are run alone too: a graph may use a free dim
    for other things, or hold a number where it stood."""
    first = list(islice(given, size))
    try:
        with executing.refusing("failed to run the model"):
            together = session.run(None, _joined(first))
    except Refused:
        return False
    return all(_is_part(together, place, size, session, first[place]) for place in (0, size - 1))


def _is_part(together: Sequence[Any], place: int, size: int, session: Any, sample: Mapping[str, Any]) -> bool:
    """Whether that is what the sample gives alone: the part at `place`, of `size` along the first axis."""
    with executing.refusing("failed to run the model"):
        alone = session.run(None, sample)
    for array, wanted in zip(together, alone, strict=True):
        if not np.ndim(wanted) or np.shape(array) != (size * wanted.shape[0], *wanted.shape[1:]):
            return False
        part = array[place * wanted.shape[0] : (place + 1) * wanted.shape[0]]
        if not np.array_equal(part, wanted) and not _is_near(part, wanted):
            return False
    return True


def _is_near(part: Any, wanted: Any) -> bool:
    return bool(np.allclose(part, wanted, rtol=0, atol=_SAME * max(float(np.ptp(wanted)), 1e-6), equal_nan=True))


def _bytes(value: ir.Value) -> int:
    """Of one sample; a free first dim counts as 1."""
    dims: list[Any] = list(value.shape) if value.shape is not None else [None]
    if dims and isinstance(dims[0], ir.SymbolicDim):
        dims[0] = 1
    return 4 * math.prod(dims) if all(isinstance(dim, int) for dim in dims) else _UNKNOWN


def _session(model: ir.Model, values: list[ir.Value]) -> Any:
    """A session that computes these values, and what leads to them."""
    cut = model.clone()
    made = {value.name: value for node in cut.graph for value in node.outputs}
    del cut.graph.outputs[:]
    cut.graph.outputs.extend(made[value.name] for value in values if value.name in made)
    common.RemoveUnusedNodesPass()(cut)
    if sum(each.const_value.nbytes for each in cut.graph.initializers.values() if each.const_value) <= _SMALL:
        return executing.open_session(ir.to_proto(cut).SerializeToString())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        ir.save(cut, str(path), external_data="model.onnx.data")
        return executing.open_session(path)

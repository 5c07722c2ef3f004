"""Many samples at once, of a model that was made for one.

A sample is exactly what is fed, and most models fix their batch at 1. Samples are put together along the first axis
where that gives what they give one by one (it is tried), if need be with a Reshape to [1, 64] read as one to [-1, 64].
Else the graph is computed for one sample, and torch maps that over all of them (`torch.func.vmap`), which is right for
any graph whose shapes do not depend on the values.
"""

from collections.abc import Collection, Mapping
from typing import Any, Literal

import torch
from dlpipe_worker import Refused

from ..torch_module.network import Network

Way = Literal["joined", "mapped"]
_NEAR = 1e-3  # relative to the largest output: convolutions of another batch may sum in another order
_NEAR_IN_THE_MEAN = 0.05  # relative to the mean: here and there a value is rounded to another step then


def choose(network: Network, feeds: Mapping[str, Any]) -> Way:
    """`feeds`: a few samples, [N, *shape] for each input. Raises Refused where neither way is right."""
    with torch.no_grad():
        expected = alone(network, feeds)
        for name, tensor in expected.items():
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                raise Refused(f"the output {name!r} is not finite on the training data")
        reasons = [_why_not(network, feeds, expected, "joined")]
        if reasons[0] is None:
            return "joined"
        before = network.free_batch()
        if _why_not(network, feeds, expected, "joined") is None:
            return "joined"
        network.hold_batch(before)
        reasons.append(_why_not(network, feeds, expected, "mapped"))
        if reasons[1] is None:
            return "mapped"
    raise Refused(
        f"the model cannot be given several samples at once (joined: {reasons[0]}; mapped: {reasons[1]})",
        kind="unsupported",
        hint="export it with a free batch dimension, or train with batch=1",
    )


def _why_not(network: Network, feeds: Mapping[str, Any], expected: Mapping[str, Any], way: Way) -> str | None:
    """None where that way gives what is expected."""
    try:
        found = run(network, feeds, way)
        return None if _agree(expected, found, rounds=network.rounds) else "other outputs than one by one"
    except (RuntimeError, ValueError, IndexError, AssertionError) as error:
        return str(error).splitlines()[0][:160]


def alone(network: Network, feeds: Mapping[str, Any], watch: Collection[str] = ()) -> dict[str, Any]:
    """One by one: [N, *shape] for each output and watched value."""
    count = len(next(iter(feeds.values())))
    results = [network({name: tensor[i] for name, tensor in feeds.items()}, watch) for i in range(count)]
    return {name: torch.stack([result[name] for result in results]) for name in results[0]}


def run(network: Network, feeds: Mapping[str, Any], way: Way, watch: Collection[str] = ()) -> dict[str, Any]:
    """[N, *shape] for each output and watched value, as from `alone`."""
    if way == "mapped":
        return dict(torch.func.vmap(lambda one: network(one, watch))(dict(feeds)))
    count = len(next(iter(feeds.values())))
    results = network(_joined(feeds), watch)
    return {name: _apart(tensor, count) for name, tensor in results.items()}


def _joined(tensors: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tensor.flatten(0, 1) if tensor.dim() > 1 else tensor for name, tensor in tensors.items()}


def _apart(tensor: Any, count: int) -> Any:
    if tensor.dim() == 0 or tensor.shape[0] % count:
        raise ValueError(f"a value of shape {tuple(tensor.shape)} does not hold {count} samples")
    return tensor.unflatten(0, (count, tensor.shape[0] // count))


def _agree(expected: Mapping[str, Any], found: Mapping[str, Any], *, rounds: bool) -> bool:
    for name, tensor in expected.items():
        other = found[name]
        if other.shape != tensor.shape:
            return False
        if not tensor.is_floating_point():
            continue  # places of maxima may turn over on a rounding
        if rounds:
            if float((tensor - other).abs().mean()) > _NEAR_IN_THE_MEAN * float(tensor.abs().mean()):
                return False
            continue
        largest = float(tensor.abs().max()) if tensor.numel() else 0.0
        if not bool(((tensor - other).abs() <= _NEAR * max(largest, 1e-6)).all()):
            return False
    return True

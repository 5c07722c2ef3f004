"""Places along a line that keep their order and their distance, as near as can be to where each would like to be."""

from __future__ import annotations

from collections.abc import Sequence


def spread(wanted: Sequence[float], room: Sequence[float]) -> list[float]:
    """The starts that are nearest to `wanted` (least squares) when each holds at least `room` before the next.

    Without the room it is an isotonic regression, solved by pooling neighbours that are out of order: R. E. Barlow et
    al., "Statistical Inference under Order Restrictions", 1972.
    """
    offsets = [sum(room[:place]) for place in range(len(wanted))]
    pools: list[tuple[float, int]] = []  # mean and length
    for want, offset in zip(wanted, offsets, strict=True):
        mean, length = want - offset, 1
        while pools and pools[-1][0] > mean:
            before, count = pools.pop()
            mean, length = (before * count + mean * length) / (count + length), count + length
        pools.append((mean, length))
    means = [mean for mean, length in pools for _ in range(length)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]

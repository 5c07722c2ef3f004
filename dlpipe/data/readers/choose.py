"""Which samples to take when there are too many. Worker side."""

from __future__ import annotations

import hashlib


def choose(count: int, limit: int | None, seed: int) -> list[int]:
    """At most `limit` of the numbers below `count`, rising: those whose seeded hashes are the smallest."""
    if limit is None or count <= limit:
        return list(range(count))
    ranked = sorted(range(count), key=lambda index: hashlib.sha256(f"{seed}:{index}".encode()).digest())
    return sorted(ranked[:limit])

"""The memory of a service's processes over time, and whether it grows."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from benchmarks.service_server import memory_mb

WARM = 0.2  # of the time: what a process needs before it has done everything once
GROWTH = 0.05  # of the mean, over what is left of the time: flat up to there


@dataclass
class Memory:
    """`_samples`: of each process, (seconds, MB): what a process that followed it has is another one's."""

    _samples: dict[tuple[str, int], list[tuple[float, float]]] = field(default_factory=dict)

    def sample(self, seconds: float, kind: str, processes: Sequence[int]) -> None:
        for each in processes:
            with suppress(OSError, IndexError):
                self._samples.setdefault((kind, each), []).append((seconds, memory_mb(each)))

    def told(self, kind: str) -> dict[str, Any]:
        """Of the process of that kind that was seen longest."""
        found = [samples for (its, _), samples in self._samples.items() if its == kind]
        if not found:
            return {}
        longest = max(found, key=lambda samples: samples[-1][0] - samples[0][0])
        begin, end = longest[0][0], longest[-1][0]
        warm = [each for each in longest if each[0] >= begin + WARM * (end - begin)]
        if len(warm) < 3:
            return {"processes": len(found), "minutes": round((end - begin) / 60, 1)}
        slope, _ = statistics.linear_regression([at for at, _ in warm], [size for _, size in warm])
        mean, grown = statistics.fmean(size for _, size in warm), slope * (warm[-1][0] - warm[0][0])
        part = max(1, len(warm) // 10)
        return {
            "processes": len(found),
            "minutes": round((end - begin) / 60, 1),
            "first_mb": longest[0][1],
            "first_tenth_warm_mb": round(statistics.fmean(size for _, size in warm[:part]), 1),
            "last_tenth_mb": round(statistics.fmean(size for _, size in warm[-part:]), 1),
            "highest_mb": max(size for _, size in longest),
            "slope_mb_per_hour": round(slope * 3600, 2),
            "flat": grown <= GROWTH * mean,
        }

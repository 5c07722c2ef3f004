"""Counts for Prometheus, in its text format. No name of a team, a job or a model is among them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds
MEDIA_TYPE = "text/plain; version=0.0.4"


class Metrics:
    """Of this process: requests by method and status, and how long they took until the answer began."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets: Counter[float] = Counter()
        self._seconds = 0.0

    def request(self, method: str, status: int, seconds: float) -> None:
        with self._lock:
            self._requests[method, status] += 1
            self._seconds += seconds
            for bound in BOUNDS:
                self._buckets[bound] += seconds <= bound

    def text(self, jobs: Mapping[str, int], workers: int) -> str:
        """jobs: state -> how many."""
        lines = ["# HELP dlpipe_jobs Jobs by state.", "# TYPE dlpipe_jobs gauge"]
        lines += [f'dlpipe_jobs{{state="{state}"}} {count}' for state, count in jobs.items()]
        lines += ["# HELP dlpipe_workers Workers that were heard of within a minute.", "# TYPE dlpipe_workers gauge"]
        lines += [f"dlpipe_workers {workers}"]
        with self._lock:
            total = self._requests.total()
            lines += ["# HELP dlpipe_requests_total Requests answered.", "# TYPE dlpipe_requests_total counter"]
            lines += [
                f'dlpipe_requests_total{{method="{method}",status="{status}"}} {count}'
                for (method, status), count in sorted(self._requests.items())
            ]
            lines += [
                "# HELP dlpipe_request_seconds Until it began.",
                "# TYPE dlpipe_request_seconds histogram",
            ]
            lines += [f'dlpipe_request_seconds_bucket{{le="{bound:g}"}} {self._buckets[bound]}' for bound in BOUNDS]
            lines += [f'dlpipe_request_seconds_bucket{{le="+Inf"}} {total}']
            lines += [f"dlpipe_request_seconds_sum {self._seconds:.6f}", f"dlpipe_request_seconds_count {total}"]
        return "\n".join(lines) + "\n"

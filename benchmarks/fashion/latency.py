"""Models against each other on ONNX Runtime with one thread: turn by turn, so that what disturbs one disturbs all."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from .data import INPUT

_WARM = 20
_SESSIONS = 10  # that each model is given, one after the other
_RESAMPLED = 1000


def interleaved(models: dict[str, Path], images: Any, *, rounds: int) -> dict[str, dict[str, Any]]:
    """Name -> {ms, speedup, ci95, wall_ms, wall_speedup, wall_ci95} for one batch of `images`; the first model is the
    baseline.

    Medians over rounds, and their ratio with a bootstrap interval. Each round has an order of its own, and a tenth of
    them sessions of their own, made in an order of their own: who comes after whom, and where a session's memory lies,
    makes a difference of several percent (7 between two copies of one file). `ms` counts the time in which the one
    thread ran: on a quiet machine that is the wall clock's; on a shared one, or under a quota, it leaves out when the
    thread had to wait.
    """
    names, random = list(models), np.random.default_rng(0)
    wall = {name: np.zeros(rounds) for name in names}
    busy = {name: np.zeros(rounds) for name in names}
    for turn in range(rounds):
        if turn % max(1, rounds // _SESSIONS) == 0:
            sessions = {name: _session(models[name]) for name in random.permutation(names)}
            for session in sessions.values():
                for _ in range(_WARM):
                    session.run(None, {INPUT: images})
        for name in random.permutation(names):
            started, worked = time.perf_counter(), time.thread_time()
            sessions[name].run(None, {INPUT: images})
            busy[name][turn] = 1000 * (time.thread_time() - worked)
            wall[name][turn] = 1000 * (time.perf_counter() - started)
    return {
        name: {**_compared("", busy[names[0]], busy[name]), **_compared("wall_", wall[names[0]], wall[name])}
        for name in names
    }


def _compared(kind: str, base: Any, other: Any) -> dict[str, Any]:
    return {
        f"{kind}ms": float(np.median(other)),
        f"{kind}speedup": float(np.median(base) / np.median(other)),
        f"{kind}ci95": _interval(base, other),
    }


def machine() -> dict[str, Any]:
    """What figures of time depend on."""
    described = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.split(":", 1)[1].strip() for line in described.splitlines() if line.startswith("model name")]
    return {
        "cpu": names[0] if names else "unknown",
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "onnxruntime": ort.__version__,
    }


def _session(path: Path) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _interval(base: Any, other: Any) -> list[float]:
    """95 %, whole rounds resampled: both models of a round saw the same disturbance."""
    random = np.random.default_rng(0)
    picks = random.integers(0, len(base), (_RESAMPLED, len(base)))
    ratios = np.median(base[picks], axis=1) / np.median(other[picks], axis=1)
    return [float(each) for each in np.percentile(ratios, [2.5, 97.5])]

"""Which artefact is the answer for a target."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dlpipe.report.schema import Artifact, Gate, RunnerUp, Selected


def select(artifacts: Iterable[Artifact], broken_paths: set[str]) -> Selected | None:
    """The limits filter; among those left the fastest measured on the target wins. With no timings from the target
    the smallest that passed wins, and the basis says so: by what it takes of a microcontroller's flash and RAM, where
    that is known of all, else by its files. None when nothing is left."""
    left = [each for each in artifacts if each.verdict == "passed" and each.path not in broken_paths]
    if not left:
        return None
    timed = [each for each in left if _latency(each) is not None]
    if timed:
        best, others = _ranked(timed, lambda each: _latency(each) or 0.0)
        untimed = tuple(_runner_up(each, None) for each in left if each not in timed)
        reason = f"fastest of {len(timed)} that passed: median {_latency(best):.3g} ms on this target"
        return _selected(best, "measured-latency", reason, (*others, *untimed))
    memory = {each.path: used for each in left if (used := _memory(each)) is not None}
    if len(memory) == len(left):
        best, others = _ranked(left, lambda each: sum(memory[each.path]))
        flash, ram = (f"{size / 1000:.1f} kB" for size in memory[best.path])
        found = f"least memory of {len(left)} that passed, {flash} of flash and {ram} of RAM"
    else:
        best, others = _ranked(left, lambda each: float(each.size_bytes or 0))
        found = f"smallest of {len(left)} that passed"
    return _selected(best, "unmeasured-speed", f"{found}; no timings from the target itself", others)


def _ranked(left: list[Artifact], cost: Callable[[Artifact], float]) -> tuple[Artifact, tuple[RunnerUp, ...]]:
    best, *others = sorted(left, key=lambda each: (cost(each), each.path))
    least = cost(best)
    return best, tuple(_runner_up(each, cost(each) / least if least else None) for each in others)


def _runner_up(each: Artifact, times: float | None) -> RunnerUp:
    return RunnerUp(path=each.path, backend=each.backend, variant=each.variant, times=times)


def _selected(best: Artifact, basis: str, reason: str, others: tuple[RunnerUp, ...]) -> Selected:
    return Selected.model_validate(
        {
            "path": best.path,
            "basis": basis,
            "backend": best.backend,
            "variant": best.variant,
            "reason": reason,
            "runners_up": others,
        }
    )


def broken_paths(gates: Iterable[Gate], stage_of: dict[str, str]) -> set[str]:
    """Artefacts that a gate rules out, directly or through the stage they were compiled from."""
    bad = {gate.subject for gate in gates if gate.passed is not True}
    return {path for path in stage_of if path in bad or stage_of[path] in bad}


def _latency(artifact: Artifact) -> float | None:
    """Median in ms, measured on the target; None else."""
    figure = artifact.cost.get("latency_p50")
    if figure is None or figure.provenance != "measured" or not isinstance(figure.value, int | float):
        return None
    return float(figure.value)


def _memory(artifact: Artifact) -> tuple[float, float] | None:
    """Flash and RAM in bytes, of a program for a microcontroller; None where either is not known."""
    figures = (artifact.cost.get("flash_used"), artifact.cost.get("ram_used"))
    sizes = [float(each.value) for each in figures if each is not None and isinstance(each.value, int | float)]
    return (sizes[0], sizes[1]) if len(sizes) == len(figures) else None

"""Energy counters, read from a made-up /sys and from a program called nvidia-smi."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from dlpipe.contracts.figure import Figure
from dlpipe.measure import energy
from dlpipe.measure.timing import interleave


def zone(root: Path, number: str, name: str, microjoules: int, most: int | None = None) -> Path:
    folder = root / "sys/class/powercap" / f"intel-rapl:{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    if most is not None:
        (folder / "max_energy_range_uj").write_text(f"{most}\n")
    return folder / "energy_uj"


def found(root: Path) -> energy.Meter:
    meter = energy.find(root)
    assert not isinstance(meter, str), meter
    return meter


def test_packages_and_their_memory_are_summed_and_nothing_is_counted_twice(tmp_path: Path) -> None:
    first, second = zone(tmp_path, "0", "package-0", 0), zone(tmp_path, "1", "package-1", 5_000_000)
    memory = zone(tmp_path, "0:1", "dram", 7)
    within = [zone(tmp_path, "0:0", "core", 0), zone(tmp_path, "2", "psys", 0)]
    meter = found(tmp_path)
    assert meter.joules() == 0
    first.write_text("1000000\n")
    second.write_text("7000000\n")
    memory.write_text("500007\n")
    for each in within:
        each.write_text("9000000\n")
    assert meter.joules() == pytest.approx(3.5)
    assert "package-0, dram, package-1" in meter.name


def test_a_counter_that_begins_anew_goes_on(tmp_path: Path) -> None:
    counter = zone(tmp_path, "0", "package-0", 262_000_000, most=262_143_328)
    meter = found(tmp_path)
    counter.write_text("856672\n")
    assert meter.joules() == pytest.approx(1.0)
    counter.write_text("1856672\n")
    assert meter.joules() == pytest.approx(2.0)


def test_a_sensor_serves_where_there_is_no_rapl(tmp_path: Path) -> None:
    folder = tmp_path / "sys/class/hwmon/hwmon3"
    folder.mkdir(parents=True)
    (folder / "name").write_text("amd_energy\n")
    (folder / "energy1_input").write_text("1\n")
    (folder / "energy1_label").write_text("Esocket0\n")
    meter = found(tmp_path)
    (folder / "energy1_input").write_text("2000001\n")
    assert meter.joules() == pytest.approx(2.0)
    assert meter.name == "hwmon amd_energy Esocket0"


def test_where_there_is_none_it_says_what_would_be_needed(tmp_path: Path) -> None:
    assert "needs RAPL" in str(energy.find(tmp_path))


def test_a_counter_for_root_only_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = zone(tmp_path, "0", "package-0", 1)
    read = Path.read_text

    def refused(path: Path, *args: Any, **more: Any) -> str:  # root reads any file, whatever its mode
        if path == counter:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, *args, **more)

    monkeypatch.setattr(Path, "read_text", refused)
    reason = energy.find(tmp_path)
    assert reason == f"no readable counter: {counter} can be read by root only"


def test_a_counter_that_holds_no_number_is_said(tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 1).write_text("unsupported\n")
    assert "no readable counter: " in str(energy.find(tmp_path))


def smi(folder: Path, body: str) -> str:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_what_a_gpu_draws_is_summed_over_time(tmp_path: Path) -> None:
    path = smi(tmp_path, 'echo "$@" > "$0.asked"; echo 50.00; exec sleep 60')
    with energy.nvidia(path) as meter:
        assert not isinstance(meter, str), meter
        asked = (tmp_path / "nvidia-smi.asked").read_text()
    assert "--query-gpu=power.draw" in asked
    ticks = iter([10.0, 12.0, 12.0, 13.0, 13.0])
    of_two = energy.Smi(str(tmp_path / "nvidia-smi"), clock=lambda: next(ticks))
    try:
        assert of_two.joules() == pytest.approx(100)  # 50 W for the 2 s from 10 to 12
        assert of_two.joules() == pytest.approx(100)
        assert of_two.joules() == pytest.approx(150)
    finally:
        of_two.close()


@pytest.mark.parametrize("body", ["echo '[N/A]'; exec sleep 60", "echo 'No devices were found'", "exit 9"])
def test_a_gpu_that_tells_no_power_is_said(tmp_path: Path, body: str) -> None:
    with energy.nvidia(smi(tmp_path, body)) as meter:
        assert str(meter).startswith("no readable counter: nvidia-smi tells no power")


def test_without_the_program_it_is_said(tmp_path: Path) -> None:
    with energy.nvidia(str(tmp_path)) as meter:
        assert meter == "no readable counter: needs nvidia-smi"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Constant:
    """Draws `watts` by that clock."""

    name = "a counter"

    def __init__(self, watts: float, clock: Clock) -> None:
        self.watts, self.clock = watts, clock

    def joules(self) -> float:
        return self.watts * self.clock.now


def timed(clock: Clock, seconds: float, around: float = 0.0) -> Callable[[int, int], Mapping[str, Any]]:
    def timer(warmup: int, runs: int) -> Mapping[str, Any]:
        clock.now += (warmup + runs) * seconds + around
        return {"seconds": [seconds] * runs}

    return timer


def energy_of(meter: energy.Meter | str, seconds: float, around: float, clock: Clock) -> Figure:
    found = interleave({"x": timed(clock, seconds, around)}, meters={"x": meter}, clock=clock)
    return Figure.model_validate(found["x"]["cost"]["energy"])


def test_energy_is_that_of_one_inference() -> None:
    clock = Clock()
    figure = energy_of(Constant(20.0, clock), 0.01, 0.0, clock)
    assert figure.value == pytest.approx(200)  # 20 W for 10 ms
    assert figure.ci95 == pytest.approx((200, 200))
    assert "idle power included" in (figure.reason or "")


def test_runs_that_are_short_beside_their_surroundings_tell_nothing() -> None:
    clock = Clock()
    figure = energy_of(Constant(20.0, clock), 1e-5, 0.1, clock)
    assert figure.reason == "its runs are too short for a counter to tell what they draw"


def test_without_a_counter_energy_is_absent_with_the_reason() -> None:
    figure = energy_of("no readable counter: needs RAPL", 0.01, 0.0, Clock())
    assert (figure.value, figure.reason) == (None, "no readable counter: needs RAPL")

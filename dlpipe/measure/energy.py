"""Energy counters of this machine: what its package drew, or its NVIDIA GPU, while something ran.

Sources: Linux, Documentation/power/powercap/powercap.rst (RAPL: `energy_uj` counts microjoules up to
`max_energy_range_uj` and begins anew) and Documentation/hwmon/sysfs-interface.rst (`energy*_input`, microjoules).
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

_MICRO = 1e-6
_SAMPLE_MILLISECONDS = 20
_FIRST_WORD_SECONDS = 10.0  # of nvidia-smi
_CHOICE = "CUDA_VISIBLE_DEVICES"  # which of the GPUs the user leaves to this process
_NEEDS = (
    "no readable counter: needs RAPL (/sys/class/powercap), or a sensor with energy*_input below /sys/class/hwmon, "
    "which virtual machines seldom have"
)


class Meter(Protocol):
    """`name`: which counter it is, for people."""

    name: str

    def joules(self) -> float:
        """Drawn up to now since some moment of the past: only differences mean anything."""


class Counters:
    """Counters in files that count microjoules; the sum of them. Raises OSError for one that cannot be read."""

    def __init__(self, name: str, files: Sequence[tuple[Path, int | None]]) -> None:
        """files: with the value at which each begins anew, where it does."""
        self.name = name
        self._files = files
        self._last = [_number(path) for path, _ in files]
        self._total = 0

    def joules(self) -> float:
        for index, (path, most) in enumerate(self._files):
            now = _number(path)
            step = now - self._last[index]
            self._total += step + most if step < 0 and most is not None else step
            self._last[index] = now
        return self._total * _MICRO


class Smi:
    """An NVIDIA GPU, whose `nvidia-smi` tells the power it draws: summed up over time. Use as a context manager."""

    def __init__(self, program: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts the program. Raises OSError where it gives no figure."""
        self.name = "nvidia-smi"
        self._clock = clock
        self._lock = threading.Lock()
        query = ["--query-gpu=power.draw", "--format=csv,noheader,nounits", f"--loop-ms={_SAMPLE_MILLISECONDS}"]
        which = os.environ.get(_CHOICE, "").split(",")[0] or "0"
        self._process = subprocess.Popen(
            [program, *query, f"--id={which}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        try:
            if not select.select([self._process.stdout], [], [], _FIRST_WORD_SECONDS)[0]:
                raise OSError(f"nvidia-smi said nothing for {_FIRST_WORD_SECONDS:.0f} s")
            self._watts = self._next()
        except BaseException:
            self.close()
            raise
        self._joules, self._since = 0.0, clock()
        self._reader = threading.Thread(target=self._read, name="nvidia-smi")
        self._reader.start()

    def joules(self) -> float:
        with self._lock:
            self._add()
            return self._joules

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        if hasattr(self, "_reader"):
            self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _next(self) -> float:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        try:
            return float(line)
        except ValueError:
            raise OSError(f"nvidia-smi tells no power: {line or 'it said nothing'}") from None

    def _read(self) -> None:
        while True:
            try:
                watts = self._next()
            except OSError:
                return
            with self._lock:
                self._add()
                self._watts = watts

    def _add(self) -> None:
        """What was drawn since the last look, at the power that was told last."""
        now = self._clock()
        self._joules += self._watts * (now - self._since)
        self._since = now


def find(root: Path = Path("/")) -> Meter | str:
    """This machine's own counter: RAPL's packages with their memory, else a sensor's; or the reason why there is none.
    root: where `sys` is found."""
    zones = list(_zones(root / "sys/class/powercap"))
    sensors = sorted((root / "sys/class/hwmon").glob("hwmon*/energy*_input"))
    for kind, files in (("RAPL", zones), ("hwmon", [(_label(each), each, None) for each in sensors])):
        if files:
            try:
                return Counters(f"{kind} {', '.join(name for name, _, _ in files)}", [each[1:] for each in files])
            except PermissionError as error:
                return f"no readable counter: {error.filename} can be read by root only"
            except (OSError, ValueError) as error:
                return f"no readable counter: {error}"
    return _NEEDS


def _zones(folder: Path) -> Iterator[tuple[str, Path, int | None]]:
    """Packages, and the memory beside them. Cores and graphics are within their package, and `psys` is all of it."""
    for zone in sorted(folder.glob("intel-rapl:*")):  # of AMD's processors, too
        name = _text(zone / "name")
        if name.startswith("package") or name == "dram":
            most = _text(zone / "max_energy_range_uj")
            yield name, zone / "energy_uj", int(most) if most.isdigit() else None


def _label(sensor: Path) -> str:
    """What the sensor is called: the chip, and the channel where it has a label."""
    chip = _text(sensor.parent / "name") or sensor.parent.name
    channel = _text(sensor.with_name(sensor.name.replace("_input", "_label")))
    return f"{chip} {channel or sensor.name.removesuffix('_input')}"


@contextmanager
def nvidia(path: str | None = None) -> Iterator[Meter | str]:
    """The first NVIDIA GPU's meter while the block lasts, or the reason why there is none. path: in place of PATH."""
    program = shutil.which("nvidia-smi", path=path)
    if program is None:
        yield "no readable counter: needs nvidia-smi"
        return
    try:
        meter = Smi(program)
    except OSError as error:
        yield f"no readable counter: {error}"
        return
    try:
        yield meter
    finally:
        meter.close()


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""

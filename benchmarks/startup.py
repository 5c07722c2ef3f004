"""How long `dlpipe --help` takes: median of fresh processes, interleaved with a bare interpreter.

Run it as `python benchmarks/startup.py [runs]`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "dlpipe --help": [str(Path(sys.executable).parent / "dlpipe"), "--help"],
    "dlpipe zoo list": [str(Path(sys.executable).parent / "dlpipe"), "zoo", "list"],
}


def main(runs: int) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs):
        for name, command in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - started)
    for name, found in seconds.items():
        print(f"{name:<18} median {statistics.median(found):.3f} s   (goal for --help: 0.25 s)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)

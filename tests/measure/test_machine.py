from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dlpipe.measure.machine import busy_seconds, fingerprint, machine_name

X86 = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: sse2 avx2 hypervisor\n\nprocessor\t: 1\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd\n\nHardware\t: Board\n"
RISCV = "processor\t: 0\nisa\t\t: rv64imafdc_zba_zbb\nuarch\t\t: sifive,u74-mc\n"


@pytest.mark.parametrize(
    ("text", "cpu", "flags", "virtualised"),
    [
        (X86, "Some CPU @ 2 GHz", ("avx2", "hypervisor", "sse2"), True),
        (ARM, None, ("asimd", "fp"), False),
        (RISCV, "sifive,u74-mc", ("rv64imafdc", "zba", "zbb"), False),
    ],
)
def test_cpuinfo_of_each_architecture(
    tmp_path: Path, text: str, cpu: str | None, flags: tuple[str, ...], virtualised: bool
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(text)
    found = fingerprint(root=tmp_path)
    assert found["flags"] == flags
    assert found["virtualised"] is virtualised
    assert found["governor"] is None
    if cpu:
        assert found["cpu"] == cpu


def test_it_is_stable_json_and_differs_by_threads() -> None:
    assert json.dumps(fingerprint()) == json.dumps(fingerprint())
    assert fingerprint(1) != fingerprint(2)


def test_the_name_says_how_much_of_the_machine_is_used(tmp_path: Path) -> None:
    found = fingerprint(root=tmp_path) | {
        "cpu": "X",
        "architecture": "a64",
        "cpuset": "0,3",
        "cpus": 8,
        "virtualised": True,
    }
    assert machine_name(found) == "X (a64, 2 of 8 CPUs, virtualised)"
    assert machine_name(found | {"cpus": 2, "virtualised": False}) == "X (a64, 2 CPUs)"


def test_the_time_of_cpus_counts_what_a_hypervisor_took(tmp_path: Path) -> None:
    first = min(os.sched_getaffinity(0))
    (tmp_path / "proc").mkdir()
    # user nice system idle iowait irq softirq steal guest guest_nice
    lines = [
        "cpu  9 9 9 9 9 9 9 9 0 0",
        f"cpu{first} 100 20 30 5000 700 4 5 41 60 0",
        f"cpu{first + 1000} 1 0 0 0 0 0 0 0",
    ]
    (tmp_path / "proc/stat").write_text("\n".join([*lines, "ctxt 12"]) + "\n")
    ticks = os.sysconf("SC_CLK_TCK")
    assert busy_seconds(root=tmp_path) == {first: 200 / ticks}


def test_a_system_that_does_not_tell(tmp_path: Path) -> None:
    assert busy_seconds(root=tmp_path) is None

"""What is out of date goes; what is current or in use stays."""

from __future__ import annotations

import subprocess

import pytest

from dlpipe.errors import ToolMissing


def test_older_environments_go(make, write, cache):
    write("six==1.16.0")
    old = make().ensure("tiny")
    write("six==1.17.0")
    new = make().ensure("tiny")
    assert new.root != old.root
    assert [environment.root for environment in make().installed()] == sorted([old.root, new.root])
    collected = make().gc()
    assert collected.removed == (old.root.name,)
    assert collected.freed > 0
    assert make().installed() == [new]
    assert not old.root.exists()
    assert not old.lock_path.exists()
    assert make().gc().removed == ()


def test_one_that_a_worker_uses_stays(make, write, start):
    write("six==1.16.0")
    old = make().ensure("tiny")
    script = """
        with toolchains.ensure("tiny").hold():
            say("held")
            sys.stdin.readline()
    """
    worker = start(script, stdin=-1)
    assert worker.stdout.readline() == "held\n"
    write("six==1.17.0")
    collected = make().gc()
    assert collected.in_use == (old.root.name,)
    assert collected.removed == ()
    assert old.works()
    worker.communicate("go\n", timeout=60)
    assert make().gc().removed == (old.root.name,)


def test_several_workers_hold_one(make, write):
    write()
    environment = make().ensure("tiny")
    with environment.hold(), environment.hold() as held:
        assert held is environment


def test_holding_what_was_removed_is_refused(make, write):
    write("six==1.16.0")
    old = make().ensure("tiny")
    write("six==1.17.0")
    make().gc()
    with pytest.raises(ToolMissing, match="was removed"), old.hold():
        pass


def test_debris_goes_and_strangers_stay(make, write, cache):
    write()
    environment = make().ensure("tiny")
    left = cache / f".{environment.root.name}.tmp.4194305.abc"
    (left / "lib").mkdir(parents=True)
    (left / "lib" / "half").write_bytes(b"x" * 10000)
    (left / "lib").chmod(0o500)
    (cache / "notes.txt").write_text("mine")
    (cache / "my-own-folder").mkdir()
    collected = make().gc()
    assert collected.freed >= 10000
    assert collected.removed == ()
    assert sorted(entry.name for entry in cache.iterdir()) == sorted(
        [environment.root.name, environment.lock_path.name, "my-own-folder", "notes.txt"]
    )


def test_an_empty_cache(make, write):
    write()
    assert make().gc().removed == ()


def test_holding_one_in_a_cache_that_is_read_only(make, write, tmp_path):
    """As in an image that was built with its toolchains inside."""
    write()
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "none", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("not run: this user cannot mount a disk")
    try:
        environment = make(root=disk).ensure("tiny")
        environment.lock_path.unlink()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        found = make(root=disk).ensure("tiny")
        with found.hold():
            assert found == environment
    finally:
        subprocess.run(["umount", disk], check=True)

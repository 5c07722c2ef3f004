"""Environments are made whole or not at all, by one of those who want them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from dlpipe.errors import ToolMissing, UserError
from dlpipe.toolchains.locking import exclusive

IMPORT = "import six, sys; print(six.__version__, sys.prefix)"


def works(environment) -> bool:
    done = subprocess.run([environment.python, "-I", "-c", IMPORT], capture_output=True, text=True, check=False)
    return done.stdout.split() == [environment.versions["six"], str(environment.root)]


def debris(cache: Path) -> list[str]:
    return [entry.name for entry in cache.iterdir() if entry.name.startswith(".")] if cache.is_dir() else []


def test_installs_once_and_finds_it_again(make, write, cache):
    write()
    said = []
    environment = make(on_event=said.append).ensure("tiny")
    assert works(environment)
    assert environment.root.parent == cache
    assert environment.visible[0] == environment.root
    assert environment.versions == {"six": "1.17.0"}
    assert said[0] == "installing the tiny toolchain"
    said.clear()
    again = make(on_event=said.append).ensure("tiny")
    assert again == environment
    assert not said
    assert make().installed() == [environment]
    assert not debris(cache)


def test_the_borrowed_interpreter_is_visible(make, write):
    write()
    environment = make().ensure("tiny")
    interpreter = environment.python.resolve()
    assert any(interpreter.is_relative_to(folder) for folder in environment.visible[1:])


def test_byte_code_is_there_before_a_jail_makes_the_folder_read_only(make, write):
    write()
    assert list(make().ensure("tiny").root.rglob("six.cpython-311.pyc"))


def test_a_script_prepares_the_environment_and_counts_as_part_of_it(make, write):
    folder = write(more='prepare = ["prepare.py", "one", "two"]\n')
    script = folder / "prepare.py"
    text = "import pathlib, six, sys\npathlib.Path(sys.argv[1], 'made').write_text(f'{six.__version__} {sys.argv[2:]}')"
    script.write_text(text)
    environment = make().ensure("tiny")
    assert (environment.root / "prepared" / "made").read_text() == "1.17.0 ['one', 'two']"
    script.write_text(text + "\n")
    assert make().digest("tiny") != environment.digest


def test_a_preparation_that_fails_leaves_no_environment(make, write, cache):
    folder = write(more='prepare = ["prepare.py"]\n')
    with pytest.raises(UserError, match=r"prepare\.py: No such file"):
        make().ensure("tiny")
    (folder / "prepare.py").write_text("raise SystemExit('the compiler does not start')")
    with pytest.raises(ToolMissing, match="the compiler does not start"):
        make().ensure("tiny")
    assert not debris(cache)
    assert make().find("tiny") is None


def test_two_processes_at_once_install_one(start, write, make, cache):
    write()
    processes = [start("environment = toolchains.ensure('tiny'); print(environment.root)") for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    said = "".join(out for out, _err in outputs)
    assert said.count("installing the tiny toolchain\n") == 1
    environment = make().find("tiny")
    assert works(environment)
    assert said.count(f"{environment.root}\n") == 2
    assert not debris(cache)


def test_who_waits_says_so(start, write, make, cache):
    write()
    cache.mkdir(parents=True)
    toolchains = make()
    lock = cache / f"tiny-{toolchains.digest('tiny')[:16]}.lock"
    with exclusive(lock):
        process = start("toolchains.ensure('tiny')")
        assert process.stdout.readline() == "waiting for another dlpipe that installs tiny\n"
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert works(toolchains.find("tiny"))


def test_who_comes_late_takes_what_another_uses_already(write, make, cache, monkeypatch):
    """It saw no environment, and before it had the lock another built one and went on to use it."""
    write()
    environment = make().ensure("tiny")
    late = make()
    answers = iter([None])
    monkeypatch.setattr(late, "find", lambda name: next(answers, environment))
    with environment.hold():
        assert late.ensure("tiny") is environment


@pytest.mark.parametrize("delay", [0.0, 0.03, 0.1, 0.2, 0.4])
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_mid_install(start, write, make, cache, delay, sign):
    write()
    process = start("toolchains.ensure('tiny')")
    assert process.stdout.readline() == "installing the tiny toolchain\n"
    time.sleep(delay)
    os.killpg(process.pid, sign)
    process.communicate(timeout=60)
    left = debris(cache)
    if sign == signal.SIGINT:
        assert not left
    toolchains = make()
    found = toolchains.find("tiny")
    assert found is None or works(found)
    assert [entry for entry in cache.iterdir() if entry.is_dir() and entry.name not in left] == (
        [found.root] if found else []
    )
    assert works(toolchains.ensure("tiny"))
    toolchains.gc()
    assert not debris(cache)


def test_only_the_parent_killed_while_its_installer_goes_on(start, write, make, cache):
    write()
    process = start("toolchains.ensure('tiny')")
    assert process.stdout.readline() == "installing the tiny toolchain\n"
    time.sleep(0.15)
    process.kill()
    process.communicate(timeout=60)
    assert works(make().ensure("tiny"))


def test_a_damaged_record_counts_as_none(make, write):
    write()
    environment = make().ensure("tiny")
    (environment.root / "complete.json").write_text('{"name": "ti')
    assert make().find("tiny") is None
    assert works(make().ensure("tiny"))


def test_an_environment_whose_interpreter_went_away_is_made_anew(make, write, cache):
    write()
    environment = make().ensure("tiny")
    environment.python.unlink()
    environment.python.symlink_to("/nowhere/python3.11")
    assert make().find("tiny") is None
    assert works(make().ensure("tiny"))
    assert not debris(cache)


def test_a_full_disk(start, write, make, tmp_path):
    """A disk of 64 kB, where this user may mount one."""
    write()
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("not run: this user cannot mount a small disk")
    try:
        with pytest.raises(ToolMissing, match=r"full|no room") as caught:
            make(root=disk / "toolchains").ensure("tiny")
        assert "DLPIPE_CACHE_DIR" in caught.value.hint
        assert not debris(disk / "toolchains")
        assert make(root=disk / "toolchains").installed() == []
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_file_that_cannot_grow(start, write, cache):
    """The same without being root: a limit on the size of files stands in for the disk."""
    write()
    script = """
        import resource
        from dlpipe.errors import ToolMissing
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
        try:
            toolchains.ensure("tiny")
        except ToolMissing as error:
            print("refused:", error.message, error.hint)
    """
    process = start(script, env={**os.environ, "UV_LINK_MODE": "copy"})
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "the disk is full" in out
    assert "DLPIPE_CACHE_DIR" in out
    assert not debris(cache)


def test_what_is_too_large_for_the_disk_is_refused_before_the_download(make, write, cache):
    write(more="size_mb = 999_999_999\n")
    with pytest.raises(ToolMissing, match="999999999 MB are needed"):
        make().ensure("tiny")


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)  # an index on this very disk needs no network
    for variable in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize("variables", [{}, {"UV_OFFLINE": "1"}, {"DLPIPE_OFFLINE": "1"}])
def test_no_network_with_the_environment_present(make, write, request, monkeypatch, variables):
    write()
    environment = make().ensure("tiny")
    request.getfixturevalue("no_network")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert make().ensure("tiny") == environment
    assert make(offline=True).ensure("tiny") == environment
    assert works(environment)


@pytest.mark.parametrize("variables", [{}, {"UV_OFFLINE": "1"}])
def test_no_network_with_the_environment_absent(make, write, no_network, cache, monkeypatch, variables):
    write()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ToolMissing, match="a download failed") as caught:
        make().ensure("tiny")
    assert "network" in caught.value.hint
    assert not debris(cache)


def test_offline_never_starts_a_download(make, write, cache):
    write()
    with pytest.raises(ToolMissing, match="downloads are off") as caught:
        make(offline=True).ensure("tiny")
    assert caught.value.hint == "when online: dlpipe toolchain install tiny"
    assert not cache.exists()


@pytest.mark.parametrize("variables", [{}, {"UV_NO_VERIFY_HASHES": "1"}])
def test_a_package_that_is_not_the_locked_one(make, write, cache, monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    folder = write()
    lock = folder / "toolchain.lock"
    lines = lock.read_text().replace("4721f3", "000000").replace("ff7033", "000000")
    lock.write_text(lines)
    with pytest.raises(ToolMissing, match="not the file that was locked") as caught:
        make().ensure("tiny")
    assert "six" in caught.value.message
    assert not debris(cache)


def test_a_version_that_does_not_exist(make, write, cache):
    folder = write()
    for file in folder.iterdir():
        file.write_text(file.read_text().replace("1.17.0", "99.0"))
    with pytest.raises(ToolMissing, match="not to be had"):
        make().ensure("tiny")


def test_a_lock_that_is_older_than_its_toolchain(make, write):
    folder = write()
    toml = folder / "toolchain.toml"
    toml.write_text(toml.read_text().replace("1.17.0", "1.16.0"))
    with pytest.raises(UserError, match=r"does not hold six==1\.16\.0"):
        make().ensure("tiny")


def test_a_toolchain_without_a_lock(make, write):
    (write() / "toolchain.lock").unlink()
    with pytest.raises(UserError, match="has no lock"):
        make().ensure("tiny")


def test_a_folder_that_cannot_be_written(make, write, tmp_path):
    write()
    (tmp_path / "file").write_text("")
    with pytest.raises(ToolMissing, match="cannot be installed") as caught:
        make(root=tmp_path / "file" / "toolchains").ensure("tiny")
    assert "DLPIPE_CACHE_DIR" in caught.value.hint


def test_wheels_for_a_foreign_platform(make, write):
    write(more='platform = "aarch64-manylinux_2_28"\n')
    environment = make().ensure("tiny")
    assert environment.python is None
    assert (environment.root / "site" / "six.py").is_file()
    assert environment.visible == (environment.root,)

"""Old frameworks need old interpreters."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from dlpipe.errors import ToolMissing
from dlpipe.toolchains.install.interpreters import on_this_machine


@pytest.mark.interpreter
@pytest.mark.parametrize("version", ["3.6", "3.7", "3.8", "3.9", "3.10", "3.12", "3.13"])
def test_each_version_that_is_on_this_machine(make, write, version):
    if on_this_machine(version) is None:
        pytest.skip(f"not run: Python {version} is not on this machine")
    write("six==1.16.0", python=version)
    environment = make().ensure("tiny")
    script = "import six, sys; print(six.__version__, '%d.%d' % sys.version_info[:2])"
    done = subprocess.run([environment.python, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1.16.0", version]
    for file in environment.root.rglob("bin/*"):
        assert ".tmp." not in file.read_bytes().decode(errors="replace"), file


@pytest.mark.interpreter
def test_hashes_count_for_pip_too(make, write, cache):
    if on_this_machine("3.7") is None:
        pytest.skip("not run: Python 3.7 is not on this machine")
    folder = write("six==1.16.0", python="3.7")
    lock = folder / "toolchain.lock"
    lock.write_text(lock.read_text().replace("1e61", "0000").replace("8abb", "0000"))
    with pytest.raises(ToolMissing, match="not the file that was locked"):
        make().ensure("tiny")
    assert [entry.name for entry in cache.iterdir() if entry.is_dir()] == []


@pytest.mark.interpreter
def test_a_lock_may_bring_a_newer_pip(make, write):
    """The pip of Python 3.6 is too old for today's wheels."""
    if on_this_machine("3.6") is None:
        pytest.skip("not run: Python 3.6 is not on this machine")
    folder = write("six==1.16.0", python="3.6")
    pip = (
        "pip==21.3.1 \\\n    --hash=sha256:deaf32dcd9ab821e359cd8330786bcd077604b5c5730c0b096eda46f95c24a2d \\\n"
        "    --hash=sha256:fd11ba3d0fdb4c07fbc5ecbba0b1b719809420f25038f8ee3cd913d3faa3033a\n"
    )
    lock = folder / "toolchain.lock"
    lock.write_text(pip + lock.read_text())
    environment = make().ensure("tiny")
    done = subprocess.run([environment.python, "-m", "pip", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("pip 21.3.1 ")


@pytest.mark.parametrize("version", ["3.5", "3.99"])
def test_an_interpreter_that_nobody_has(make, write, monkeypatch, tmp_path, version):
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    write(python=version)
    with pytest.raises(ToolMissing, match=f"Python {version} is needed") as caught:
        make().ensure("tiny")
    assert f"pyenv install {version}" in caught.value.hint


def test_locking_again_gives_hashes_and_no_address(make, write):
    folder = write()
    shutil.copy(folder / "toolchain.lock", folder / "before")
    (folder / "toolchain.lock").write_text("")
    assert make().lock("tiny") == folder / "toolchain.lock"
    text = (folder / "toolchain.lock").read_text()
    assert text.startswith("six==1.17.0 \\\n    --hash=sha256:")
    assert "://" not in text
    assert set(text.split()) == set((folder / "before").read_text().split())

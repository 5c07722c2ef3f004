"""Which build of a tool is taken: the special one where the user's settings lead to it, else the public one."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

import pytest

from dlpipe.errors import ToolMissing

PIN = "dlpipedemo==1.0+here"


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


def make_wheel(folder: Path, text: str = "") -> str:
    """A wheel in no index. Returns its SHA-256."""
    name, info = "dlpipedemo-1.0+here", "dlpipedemo-1.0+here.dist-info"
    files = {
        "dlpipedemo.py": text,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: dlpipedemo\nVersion: 1.0+here\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).decode().rstrip('=')},"
        for path, content in files.items()
    ]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
    wheel = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path), content)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def define(write, definitions: Path, digest: str) -> None:
    write()
    folder = definitions / "tiny-here"
    folder.mkdir()
    top = f'name = "tiny-here"\nbuild_of = "tiny"\nsummary = "a test"\npython = "3.11"\nrequirements = ["{PIN}"]\n'
    (folder / "toolchain.toml").write_text(top)
    (folder / "toolchain.lock").write_text(f"{PIN} \\\n    --hash=sha256:{digest}\n")


def test_the_public_build_where_nothing_else_can_be_had(make, write, definitions, wheels):
    define(write, definitions, make_wheel(wheels))
    toolchains = make()
    assert toolchains.spec("tiny").name == "tiny"
    assert toolchains.locked_versions("tiny") == {"six": "1.17.0"}
    assert "tiny" in toolchains.names()
    assert "tiny-here" not in toolchains.names()


def test_the_special_build_where_the_settings_lead_to_it(make, write, definitions, wheels, monkeypatch):
    define(write, definitions, make_wheel(wheels))
    public = make().digest("tiny")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    toolchains = make()
    digest = toolchains.digest("tiny")
    assert digest != public
    environment = toolchains.ensure("tiny")
    assert (environment.name, environment.digest) == ("tiny-here", digest)
    assert environment.versions == {"dlpipedemo": "1.0+here"}
    monkeypatch.delenv("PIP_FIND_LINKS")
    later = make(offline=True)
    assert later.find("tiny") == environment  # what is installed decides
    assert later.digest("tiny") == digest
    assert later.gc().removed == ()
    assert later.find("tiny") == environment


def test_another_file_than_the_locked_one_is_not_installed(make, write, definitions, wheels, monkeypatch):
    define(write, definitions, make_wheel(wheels))
    make_wheel(wheels, "print('something else')")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    with pytest.raises(ToolMissing, match="not the file that was locked"):
        make().ensure("tiny")


def test_a_lock_of_a_special_build(make, write, definitions, wheels, monkeypatch):
    define(write, definitions, make_wheel(wheels))
    lock = definitions / "tiny-here" / "toolchain.lock"
    before = lock.read_text()
    lock.unlink()
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    assert make().lock("tiny-here").read_text() == before

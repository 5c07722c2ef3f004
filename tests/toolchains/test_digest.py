"""The digest is known before anything is installed, and says all that matters and nothing else."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlpipe.toolchains import Registry, Toolchains

LOCK = "six==1.17.0 \\\n    --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274\n"
word = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
words = st.lists(word, max_size=3)

MATTER = st.fixed_dictionaries(
    {"python": st.sampled_from(["3.6", "3.9", "3.11", "3.13"]), "requirements": words},
    optional={"no_deps": words, "variant": word, "platform": word},
)
TERMS = {"licence": "L", "vendor": "v", "licence_text": "t"}  # which a proprietary one must name
DESCRIBE = st.fixed_dictionaries(
    {"summary": word},
    optional={
        "size_mb": st.integers(1, 9999),
        "licence": word,
        "limits": word,
        "imports": words,
        "apt": st.dictionaries(word, word, max_size=2),
        "proprietary": st.booleans(),
    },
).map(
    lambda fields: (
        {"licence": "L", "vendor": "v", "licence_text": "t", **fields} if fields.get("proprietary") else fields
    )
)
DEFAULTS = {"no_deps": [], "variant": "default", "platform": None}


def toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case list():
            return f"[{', '.join(toml(item) for item in value)}]"
        case dict():
            return f"{{{', '.join(f'{key} = {toml(item)}' for key, item in value.items())}}}"
    return str(value)


def digest(fields: dict[str, object], lock: str = LOCK) -> str:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        text = "".join(f"{key} = {toml(value)}\n" for key, value in {"name": "tiny", **fields}.items())
        (folder / "toolchain.toml").write_text(text)
        (folder / "toolchain.lock").write_text(lock)
        return Toolchains(folder / "cache", registry=Registry([folder])).digest("tiny")


@settings(deadline=None)
@given(MATTER, MATTER, DESCRIBE, DESCRIBE)
def test_it_changes_when_and_only_when_a_field_that_matters_does(one, other, described, otherwise):
    same = {**DEFAULTS, **one} == {**DEFAULTS, **other}
    assert (digest({**described, **one}) == digest({**otherwise, **other})) == same


@settings(deadline=None)
@given(MATTER, DESCRIBE, st.sampled_from(list(LOCK)))
def test_any_change_of_the_lock_changes_it(fields, described, letter):
    fields = {**described, **fields}
    assert digest(fields, LOCK) != digest(fields, LOCK.replace(letter, "?", 1))


def test_it_is_the_same_in_every_process_and_folder(make, write, start, tmp_path):
    folder = write()
    here = make().digest("tiny")
    for seed in ("1", "2"):
        environ = {**os.environ, "PYTHONHASHSEED": seed}
        out, err = start("print(toolchains.digest('tiny'))", env=environ).communicate(timeout=60)
        assert out.strip() == here, err
    moved = shutil.copytree(folder, tmp_path / "elsewhere" / "deep" / "another name")
    assert Toolchains(tmp_path / "other", registry=Registry([moved])).digest("tiny") == here


def test_it_needs_no_installation(make, write, cache):
    write()
    toolchains = make(offline=True)
    assert len(toolchains.digest("tiny")) == 64
    assert toolchains.locked_versions("tiny") == {"six": "1.17.0"}
    assert not cache.exists()


def test_the_machine_counts_where_something_runs_on_it(make, write, monkeypatch):
    write(name="runs")
    write(name="foreign", more='platform = "aarch64-manylinux_2_28"\n')
    before = make()
    digests = before.digest("runs"), before.digest("foreign")
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    after = make()
    assert after.digest("runs") != digests[0]
    assert after.digest("foreign") == digests[1]


@pytest.mark.parametrize("name", [name for name in Registry().names() if Registry().get(name).lock_path.is_file()])
def test_the_locks_that_are_shipped_are_whole(name):
    toolchains = Toolchains(Path("/nowhere"))
    spec = toolchains.spec(name)
    text = spec.lock_path.read_text()
    assert "://" not in text
    versions = toolchains.locked_versions(name)
    if spec.kind == "python":
        assert all("==" in pin for pin in spec.requirements)
        for pin in (*spec.requirements, *spec.no_deps):
            name = re.sub(r"[-_.]+", "-", re.sub(r"\[.*\]", "", pin.partition("==")[0])).lower()
            locked = versions[name]
            assert pin.partition("==")[2] in ("", locked)  # no_deps may name what the requirements pin
        assert text.count("--hash=sha256:") >= len(versions)

"""The doctor sees what is wrong, and says what to do."""

from __future__ import annotations

import shutil

import pytest

from dlpipe.toolchains.doctor import diagnose, missing_programs


def only(make, *, thorough=True):
    (diagnosis,) = diagnose(make(), ["tiny"], thorough=thorough)
    return diagnosis


def test_absent_is_no_fault(make, write):
    write()
    diagnosis = only(make)
    assert diagnosis.state == "absent"
    assert not diagnosis.problems


def test_a_sound_one(make, write):
    write(more='imports = ["six"]\n')
    make().ensure("tiny")
    diagnosis = only(make)
    assert diagnosis.state == "ok", diagnosis
    assert diagnosis.size > 10000
    assert diagnosis.python.startswith("3.11.")


def test_a_package_that_was_removed(make, write):
    write(more='imports = ["six"]\n')
    site = make().ensure("tiny").root / "lib" / "python3.11" / "site-packages"
    shutil.rmtree(site / "six-1.17.0.dist-info")
    (site / "six.py").unlink()
    shutil.rmtree(site / "__pycache__")
    diagnosis = only(make)
    assert diagnosis.state == "broken"
    gone, unimportable = diagnosis.problems
    assert gone.startswith("six is gone, not 1.17.0 as locked: remove ")
    assert unimportable.startswith("six cannot be imported (ModuleNotFoundError")
    at_a_glance = only(make, thorough=False)
    assert (at_a_glance.state, at_a_glance.problems, at_a_glance.size) == ("broken", (gone,), None)


def test_an_interpreter_that_does_not_start(make, write):
    write()
    python = make().ensure("tiny").python
    python.unlink()
    python.write_text("#!/bin/sh\necho damaged; exit 3\n")
    python.chmod(0o755)
    diagnosis = only(make)
    assert diagnosis.state == "broken"
    assert diagnosis.problems[0].startswith("its interpreter does not start (damaged)")


def test_a_program_that_is_missing(make, write, monkeypatch):
    write(more='apt = {no-such-program = "some-package"}\n')
    assert "apt-get install some-package" in only(make).problems[0]
    assert missing_programs({"sh": "dash"}) == []
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert missing_programs({"no-such": "p"}) == ["the program no-such is missing: sudo apt-get install p"]


@pytest.mark.slow
def test_the_core_toolchain(toolchains):
    toolchains.ensure("core")
    (diagnosis,) = diagnose(toolchains, ["core"], thorough=True)
    assert diagnosis.state == "ok", diagnosis

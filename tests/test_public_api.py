from __future__ import annotations

import subprocess
import sys

import dlpipe


def test_every_public_name_is_there() -> None:
    assert dlpipe.__all__ == sorted(dlpipe.__all__)
    for name in dlpipe.__all__:
        assert getattr(dlpipe, name).__module__.startswith("dlpipe.")


def test_importing_dlpipe_imports_nothing_else_of_it() -> None:
    code = "import sys, dlpipe; print([name for name in sys.modules if name.startswith('dlpipe.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

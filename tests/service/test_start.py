"""The first start, and what a server does not start with."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import pytest

from tests.e2e.user import make_user

from .running import ADMINISTRATOR, eventually, serving


@pytest.mark.parametrize(("token", "says"), [("", "DLPIPE_TOKEN"), ("short", "characters")])
def test_the_first_start_wants_a_token_that_cannot_be_guessed(tmp_path: Path, token: str, says: str) -> None:
    user = make_user(tmp_path)
    environment = {"DLPIPE_DATA_DIR": str(tmp_path / "data"), "DLPIPE_TOKEN": token}
    refused = user.dlpipe("serve", "--port", 0, "--workers", 0, env=environment)
    assert (refused.code, says in refused.err) == (2, True)


def test_what_was_accepted_outlives_the_server(tmp_path: Path) -> None:
    with serving(make_user(tmp_path), tmp_path / "data", "--workers", 0) as first:
        job = first.submit(label="kept").json["id"]
        assert stat.S_IMODE(first.data.stat().st_mode) == 0o700
        taken = first.user.dlpipe("serve", "--port", first.port, "--workers", 0, env=first._ours())
        assert (taken.code, "cannot listen" in taken.err) == (2, True)
        assert first.stop(signal.SIGTERM) == 0
        assert "Traceback" not in first.log()
        first.environment = {"DLPIPE_TOKEN": "another-secret-that-is-not-looked-at-any-more"}
        first.start()
        eventually(lambda: "DLPIPE_TOKEN is none of this service's tokens" in first.log())
        assert first.ask("GET", f"/jobs/{job}", token=ADMINISTRATOR).json["label"] == "kept"
        assert first.ask("GET", "/whoami", token="another-secret-that-is-not-looked-at-any-more").status == 401


def test_what_it_is_made_of_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'fastapi' else find(name, *more)\n"
    )
    user = make_user(tmp_path / "user")
    path = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    refused = user.dlpipe("serve", env={"PYTHONPATH": path, "DLPIPE_DATA_DIR": str(tmp_path / "data")})
    assert (refused.code, ".[service]" in refused.err) == (2, True)


def test_a_bucket_whose_client_is_not_installed(tmp_path: Path) -> None:
    """Told at the start, not at the first upload."""
    places = {"DLPIPE_STORE_URL": "gs://bucket/x", "DLPIPE_DATA_DIR": str(tmp_path / "data"), "DLPIPE_TOKEN": "s" * 32}
    refused = make_user(tmp_path / "user").dlpipe("serve", "--port", "0", env=places)
    assert (refused.code, "gs:// needs a package that is not installed" in refused.err) == (2, True), refused.err

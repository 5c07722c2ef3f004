"""The OpenAPI document, and a stranger's program that asks all that it allows, and what it does not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dlpipe.errors import ToolMissing
from dlpipe.toolchains import Registry, Toolchains

from .running import Service

# Left out: that a valid request is accepted (a target that does not exist is a valid word), and the methods that a 405
# lists (Starlette names those of one route, where a path has two).
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
)


@pytest.mark.slow
def test_every_answer_is_one_that_the_document_speaks_of(idle: Service, repo_root: Path, tmp_path: Path) -> None:
    """Without the stream of events, which for a waiting job has no end."""
    definitions = repo_root / "tests" / "toolchains" / "definitions"
    try:
        root = Toolchains(registry=Registry([definitions])).ensure("test-schemathesis").root
    except ToolMissing as error:
        pytest.skip(f"not run: {error.message}")
    token = idle.token("schemathesis", "read", "submit", "board", "admin")
    done = subprocess.run(
        [
            *(root / "bin" / "python", "-m", "schemathesis.cli", "run"),
            f"http://127.0.0.1:{idle.port}/api/v1/openapi.json",
            *("--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS)),
            *("--phases", "fuzzing", "--max-examples", "10", "--seed", "20180801", "--no-color"),
            *("--exclude-path-regex", "/events$", "--suppress-health-check", "all", "--request-timeout", "60"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "bug of dlpipe" not in idle.log()
    assert idle.ask("GET", "//readyz", token=None).status == 200


def test_it_loads_nothing_from_elsewhere(idle: Service) -> None:
    assert idle.ask("GET", "/openapi.json", token=None).json["openapi"].startswith("3.1")
    for page in ("//docs", "//redoc", "/docs", "/redoc"):
        assert idle.ask("GET", page, token=None).status == 404

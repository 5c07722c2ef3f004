"""Who a registry is told that we are: what `docker login` or `podman login` kept."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def basic(host: str) -> str | None:
    """`user:password` in base64, or None where nobody has logged in to that host."""
    for file in _files():
        with suppress(OSError, ValueError, AttributeError):
            said = json.loads(file.read_bytes())
            helper = (said.get("credHelpers") or {}).get(host) or said.get("credsStore")
            if helper and (found := _ask(helper, host)):
                return found
            if entry := (said.get("auths") or {}).get(host, {}).get("auth"):
                return str(entry)
    return None


def _files() -> Iterator[Path]:
    """Docker's configuration; podman's."""
    yield Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    if named := os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    if run := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(run) / "containers" / "auth.json"


def _ask(helper: str, host: str) -> str | None:
    """docker-credential-HELPER, which Docker calls in the same way."""
    if not helper.replace("-", "").isalnum():
        return None
    try:
        done = subprocess.run(
            [f"docker-credential-{helper}", "get"], input=host, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    said = json.loads(done.stdout)
    return base64.b64encode(f"{said['Username']}:{said['Secret']}".encode()).decode()

"""A provider, and a service whose people and CI jobs it vouches for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dlpipe.toolchains import Toolchains
from tests.e2e.user import make_user
from tests.service.running import Service, serving

from .provider import CLIENT, SECRET, Provider, providing

PUBLIC = "http://127.0.0.1:7070"  # as browsers know it; what is sent there, the tests bring to where it is
RULES = """
scope = "openid email groups"

[[issuer]]
url = {issuer}
audience = "dlpipe-ci"

[[rule]]
claims = {{ groups = "heads", email_verified = true }}
team = "default"
scopes = ["read", "submit", "admin"]

[[rule]]
claims = {{ groups = ["speech", "vision"] }}
team = "speech"
scopes = ["read", "submit"]

[[rule]]
claims = {{ project = "speech/keywords", ref = "main" }}
team = "speech"
scopes = ["submit", "read"]

[[rule]]
claims = {{ groups = "ghosts" }}
team = "no such team"
scopes = ["read"]
"""


@dataclass(frozen=True)
class Vouched:
    service: Service
    provider: Provider


@pytest.fixture(scope="module")
def vouched(tmp_path_factory: pytest.TempPathFactory, toolchains: Toolchains) -> Iterator[Vouched]:
    del toolchains
    folder = tmp_path_factory.mktemp("vouched")
    with providing() as provider:
        (folder / "rules.toml").write_text(RULES.format(issuer=json.dumps(provider.issuer)))
        (folder / "secret").write_text(SECRET + "\n")
        options = ("--oidc-issuer", provider.issuer, "--oidc-client-id", CLIENT, "--oidc-rules", folder / "rules.toml")
        options += ("--behind-proxy", "127.0.0.1")  # so that each sign-in comes from an address of its own
        options += ("--oidc-secret-file", folder / "secret", "--public-url", PUBLIC)
        with serving(make_user(folder), folder / "data", "--workers", 0, "--failures", 1e6, *options) as service:
            service.ask("POST", "/teams", {"name": "speech"})
            yield Vouched(service, provider)


@pytest.fixture(autouse=True)
def put_right(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Whatever a test did to the provider."""
    del tmp_path
    yield
    if "vouched" in request.fixturenames:
        request.getfixturevalue("vouched").provider.put_right()

"""Each route asked with each role. The table is the rule: a route that it does not name is an error."""

from __future__ import annotations

import time
from typing import Any

import pytest

from dlpipe.service.api.app import make_app

from .running import ADMINISTRATOR, Service, all_routes

JOB = f"job-{'0' * 16}"
DIGEST = "0" * 64
TASK = f"task-{'0' * 16}"
PREFIX = "/api/v1"

# Route -> the scope it wants, None: open to anybody; and a path that asks for nothing that there is.
RULES: dict[tuple[str, str], tuple[str | None, str]] = {
    ("GET", "/healthz"): (None, "//healthz"),
    ("GET", "/readyz"): (None, "//readyz"),
    ("GET", "/metrics"): ("admin", "//metrics"),
    ("GET", f"{PREFIX}/openapi.json"): (None, "/openapi.json"),
    ("POST", f"{PREFIX}/uploads"): ("submit", "/uploads"),
    ("HEAD", f"{PREFIX}/uploads/{{digest}}"): ("submit", f"/uploads/{DIGEST}"),
    ("PUT", f"{PREFIX}/uploads/{{digest}}"): ("submit", f"/uploads/{DIGEST}"),
    ("DELETE", f"{PREFIX}/uploads/{{digest}}"): ("submit", f"/uploads/{DIGEST}"),
    ("POST", f"{PREFIX}/jobs"): ("submit", "/jobs"),
    ("GET", f"{PREFIX}/jobs"): ("read", "/jobs"),
    ("GET", f"{PREFIX}/jobs/{{id}}"): ("read", f"/jobs/{JOB}"),
    ("DELETE", f"{PREFIX}/jobs/{{id}}"): ("submit", f"/jobs/{JOB}"),
    ("POST", f"{PREFIX}/jobs/{{id}}/cancel"): ("submit", f"/jobs/{JOB}/cancel"),
    ("POST", f"{PREFIX}/jobs/{{id}}/retry"): ("submit", f"/jobs/{JOB}/retry"),
    ("GET", f"{PREFIX}/jobs/{{id}}/logs"): ("read", f"/jobs/{JOB}/logs"),
    ("GET", f"{PREFIX}/jobs/{{id}}/events"): ("read", f"/jobs/{JOB}/events"),
    ("GET", f"{PREFIX}/jobs/{{id}}/report.json"): ("read", f"/jobs/{JOB}/report.json"),
    ("GET", f"{PREFIX}/jobs/{{id}}/report.html"): ("read", f"/jobs/{JOB}/report.html"),
    ("GET", f"{PREFIX}/jobs/{{id}}/stages"): ("read", f"/jobs/{JOB}/stages"),
    ("GET", f"{PREFIX}/jobs/{{id}}/artifacts.zip"): ("read", f"/jobs/{JOB}/artifacts.zip"),
    ("GET", f"{PREFIX}/jobs/{{id}}/compare/{{other}}"): ("read", f"/jobs/{JOB}/compare/{JOB}"),
    ("GET", f"{PREFIX}/jobs/{{id}}/lineage"): ("read", f"/jobs/{JOB}/lineage"),
    ("GET", f"{PREFIX}/jobs/{{id}}/artifacts"): ("read", f"/jobs/{JOB}/artifacts"),
    ("GET", f"{PREFIX}/jobs/{{id}}/artifacts/{{path}}"): ("read", f"/jobs/{JOB}/artifacts/model.onnx"),
    ("GET", f"{PREFIX}/targets"): ("read", "/targets"),
    ("GET", f"{PREFIX}/backends"): ("read", "/backends"),
    ("GET", f"{PREFIX}/workers"): ("admin", "/workers"),
    ("GET", f"{PREFIX}/boards"): ("read", "/boards"),
    ("PATCH", f"{PREFIX}/boards/{{name}}"): ("admin", "/boards/none"),
    ("DELETE", f"{PREFIX}/boards/{{name}}"): ("admin", "/boards/none"),
    ("POST", f"{PREFIX}/boards"): ("board", "/boards"),
    ("POST", f"{PREFIX}/boards/{{name}}/poll"): ("board", "/boards/none/poll"),
    ("POST", f"{PREFIX}/board-tasks/{{id}}/renew"): ("board", f"/board-tasks/{TASK}/renew"),
    ("POST", f"{PREFIX}/board-tasks/{{id}}/result"): ("board", f"/board-tasks/{TASK}/result"),
    ("GET", f"{PREFIX}/board-tasks/{{id}}/files/{{digest}}"): ("board", f"/board-tasks/{TASK}/files/{DIGEST}"),
    ("PUT", f"{PREFIX}/board-outputs/{{id}}"): ("board", f"/board-outputs/{TASK}"),
    ("GET", f"{PREFIX}/audit"): ("admin", "/audit"),
    ("GET", f"{PREFIX}/whoami"): ("read", "/whoami"),
    ("GET", f"{PREFIX}/usage"): ("read", "/usage"),
    ("PATCH", f"{PREFIX}/teams/{{id}}"): ("admin", "/teams/999999"),
    ("GET", f"{PREFIX}/teams"): ("admin", "/teams"),
    ("POST", f"{PREFIX}/teams"): ("admin", "/teams"),
    ("GET", f"{PREFIX}/tokens"): ("admin", "/tokens"),
    ("POST", f"{PREFIX}/tokens"): ("admin", "/tokens"),
    ("DELETE", f"{PREFIX}/tokens/{{id}}"): ("admin", "/tokens/999999"),
}
ROLES = ("nobody", "stranger", "expired", "revoked", "read", "submit", "board", "admin")


@pytest.fixture(scope="module")
def tokens(idle: Service) -> dict[str, str | None]:
    """Role -> a token that has that scope alone."""
    found: dict[str, str | None] = {"nobody": None, "stranger": "dlp_of-nobody-that-the-service-knows"}
    found |= {scope: idle.token("roles", scope) for scope in ("read", "submit", "board", "admin")}
    found["expired"] = idle.token("roles", "read", "submit", "admin", days=1e-9)
    found["revoked"] = idle.token("roles", "read", "submit", "admin")
    newest = max(each["id"] for each in idle.ask("GET", "/tokens").json)
    assert idle.ask("DELETE", f"/tokens/{newest}").status == 204
    time.sleep(0.001)  # longer than the expired one lives
    return found


def test_every_route_has_a_rule(idle: Service) -> None:
    document = idle.ask("GET", "/openapi.json").json
    routes = {
        (method.upper(), path): (operation.get("security") or [{"token": [None]}])[0]["token"][0]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    hidden = {("GET", f"{PREFIX}/openapi.json"): None}
    assert routes | hidden == {route: scope for route, (scope, _) in RULES.items()}
    known = all_routes(make_app(None).routes)
    assert len(known) == len(RULES)
    assert [each.path for each in known if not each.include_in_schema] == [f"{PREFIX}/openapi.json"], "a hidden route"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", RULES, ids=lambda route: " ".join(route))
def test_a_route_answers_those_alone_who_may_ask(
    idle: Service, tokens: dict[str, str | None], route: tuple[str, str], role: str
) -> None:
    scope, path = RULES[route]
    answer = idle.ask(route[0], path, {} if route[0] in ("POST", "PUT", "PATCH") else None, token=tokens[role])
    if scope is None:
        assert answer.status == 200
    elif role in ("nobody", "stranger", "expired", "revoked"):
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
    elif role != scope:
        assert answer.status == 403
    else:
        assert answer.status in (200, 204, 404, 422), answer.body
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers
    if answer.status >= 400 and route[0] != "HEAD":
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json["status"] == answer.status
        assert answer.json["detail"]


def test_a_token_is_kept_nowhere(idle: Service, tokens: dict[str, str | None]) -> None:
    kept = b"".join(path.read_bytes() for path in idle.data.rglob("*") if path.is_file())
    for secret in (ADMINISTRATOR, tokens["read"]):
        assert secret is not None
        assert secret.encode() not in kept
        assert secret not in idle.log()
    listed = idle.ask("GET", "/tokens").body.decode()
    assert "secret" not in listed
    assert "hash" not in listed


def test_a_token_says_who_it_is(idle: Service) -> None:
    mine = idle.ask("GET", "/whoami", token=idle.token("curious", "read", days=1)).json
    assert (mine["team"], mine["scopes"]) == ("curious", ["read"])
    assert mine["expires"] is not None


def test_nobody_shuts_himself_out(idle: Service) -> None:
    mine = min(each["id"] for each in idle.ask("GET", "/tokens").json)
    assert idle.ask("DELETE", f"/tokens/{mine}").status == 409


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/teams", {"name": "default"}),
        ("/teams", {"name": ""}),
        ("/teams", {"name": "a\nb"}),
        ("/teams", {"name": "x" * 65}),
        ("/tokens", {"team": "no such team", "name": "x", "scopes": ["read"]}),
        ("/tokens", {"team": "default", "name": "x", "scopes": []}),
        ("/tokens", {"team": "default", "name": "x", "scopes": ["root"]}),
        ("/tokens", {"team": "default", "name": "x", "scopes": ["read"], "days": -1}),
        ("/tokens", {"team": "default", "name": "x", "scopes": ["read"], "more": 1}),
    ],
)
def test_what_no_team_and_no_token_can_be(idle: Service, path: str, body: dict[str, Any]) -> None:
    answer = idle.ask("POST", path, body)
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_no_answer_leads_to_another_host(idle: Service) -> None:
    answer = idle.ask("GET", "/whoami/", headers={"Host": "evil.example"})
    assert (answer.status, "location" in answer.headers) == (404, False)

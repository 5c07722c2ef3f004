"""Signing in, and what a session's cookie opens: pages, and the API only where one of our own pages asks."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dlpipe.service.web.app import make_pages
from tests.service.running import ADMINISTRATOR, Answer, Service, all_routes

JOB = f"job-{'0' * 16}"
# Page -> the scope it wants; None: open to anybody.
RULES: dict[tuple[str, str], tuple[str | None, str]] = {
    ("GET", "/login"): (None, "/login"),
    ("POST", "/login"): (None, "/login"),
    ("GET", "/login/oidc"): (None, "/login/oidc"),
    ("GET", "/login/oidc/callback"): (None, "/login/oidc/callback"),
    ("POST", "/logout"): (None, "/logout"),
    ("GET", "/language"): (None, "/language?to=zh"),
    ("GET", "/static/{name}"): (None, "/static/pages.css"),
    ("GET", "/"): ("read", "/"),
    ("GET", "/jobs/{id}"): ("read", f"/jobs/{JOB}"),
    ("GET", "/jobs/{id}/compare"): ("read", f"/jobs/{JOB}/compare?other={JOB}"),
    ("GET", "/jobs/{id}/lineage"): ("read", f"/jobs/{JOB}/lineage"),
    ("GET", "/new"): ("submit", "/new"),
    ("GET", "/health"): ("read", "/health"),
    ("GET", "/admin"): ("admin", "/admin"),
    ("GET", "/audit"): ("admin", "/audit"),
}


def cookie(service: Service, token: str = ADMINISTRATOR) -> str:
    """Of a new session."""
    answer = sign_in(service, token)
    assert answer.status == 303, answer.body
    return answer.headers["set-cookie"].partition(";")[0]


def sign_in(service: Service, token: str, **headers: str) -> Answer:
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    return service.ask("POST", "//login", f"token={token}".encode(), token=None, headers={**kind, **headers})


def look(service: Service, path: str, given: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
    """With the cookie alone. path: as of `Service.ask`."""
    return service.ask(method, path, body, token=None, headers={"Cookie": given, **headers})


def csrf(service: Service, given: str) -> str:
    found = re.search(rb'name="csrf" content="(\w+)"', look(service, "//", given).body)
    assert found is not None
    return found[1].decode()


def test_every_page_has_a_rule() -> None:
    known = set()
    for route in all_routes(make_pages(None).routes):
        known |= {(method, route.path) for method in route.methods}
    assert known == set(RULES)


@pytest.mark.parametrize("route", [route for route, (scope, _) in RULES.items() if scope], ids=lambda route: route[1])
def test_a_page_answers_those_alone_who_may_see_it(idle: Service, route: tuple[str, str]) -> None:
    scope, path = RULES[route]
    path = f"/{path}"
    stranger = look(idle, path, "dlpipe=of-nobody")
    assert (stranger.status, stranger.headers["location"][:12]) == (303, "/login?next=")
    for scopes in (("read",), ("read", "submit"), ("read", "admin"), ("admin",)):
        answer = look(idle, path, cookie(idle, idle.token("pages", *scopes)))
        expected = {200, 404} if {"read", scope} <= set(scopes) else {403}
        assert answer.status in expected, (scopes, answer.body)
        assert answer.headers["content-security-policy"].startswith(
            "default-src 'none'; script-src 'self'; style-src 'self'"
        )
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"


def test_the_cookie_is_no_token_and_the_token_is_kept_nowhere(idle: Service) -> None:
    answer = sign_in(idle, ADMINISTRATOR)
    set_cookie = answer.headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/"} <= {each.strip() for each in set_cookie.split(";")}
    assert "secure" not in set_cookie, "this is no TLS"
    assert ADMINISTRATOR not in set_cookie
    secret = answer.headers["set-cookie"].partition(";")[0].partition("=")[2]
    kept = b"".join(path.read_bytes() for path in idle.data.rglob("*") if path.is_file())
    assert secret.encode() not in kept


def test_a_session_ends_with_its_token_or_by_signing_out(idle: Service) -> None:
    token = idle.token("short-lived", "read")
    first, second = cookie(idle, token), cookie(idle, token)
    given = f"csrf={csrf(idle, first)}".encode()
    origin = {"Sec-Fetch-Site": "same-origin"}
    assert look(idle, "//logout", first, "POST", b"csrf=wrong", **origin).status == 403
    assert look(idle, "/whoami", first).status == 200
    assert look(idle, "//logout", first, "POST", given, **origin).status == 303
    assert look(idle, "/whoami", first).status == 401
    assert look(idle, "/whoami", second).status == 200
    newest = max(each["id"] for each in idle.ask("GET", "/tokens").json)
    assert idle.ask("DELETE", f"/tokens/{newest}").status == 204
    assert look(idle, "/whoami", second).status == 401
    assert look(idle, "//", second).status == 303
    assert sign_in(idle, token).status == 401


def test_a_large_request_is_taken_with_a_session_and_not_without(idle: Service) -> None:
    """Which of the two the gate asks before it reads on."""
    mine = cookie(idle)
    large = {"model": {"files": {"model.onnx": "x" * 20_000}, "entry": "model.onnx"}, "targets": ["x86-64"]}
    headers = {"X-CSRF-Token": csrf(idle, mine), "Sec-Fetch-Site": "same-origin"}
    assert look(idle, "/jobs", f"dlpipe-language=zh; a@b=c; {mine}", "POST", large, **headers).status == 422
    for strange in ("a@b=c", "dlpipe=of-nobody", "dlpipe=\xff"):
        assert look(idle, "/jobs", strange, "POST", large, **headers).status == 401


def test_only_our_own_pages_change_something_with_a_cookie(idle: Service) -> None:
    mine = cookie(idle)
    asked = {"name": "of another site"}
    good = {"X-CSRF-Token": csrf(idle, mine)}
    for headers in (
        {},
        {"X-CSRF-Token": "0" * 64, "Sec-Fetch-Site": "same-origin"},
        {"X-CSRF-Token": csrf(idle, cookie(idle)), "Sec-Fetch-Site": "same-origin"},  # of another session
        {**good, "Sec-Fetch-Site": "cross-site"},
        {**good, "Sec-Fetch-Site": "same-site"},
        {**good, "Sec-Fetch-Site": "none"},
        {**good, "Origin": "http://evil.example"},
        {**good, "Origin": "null"},
        good,
        {"Sec-Fetch-Site": "same-origin"},
    ):
        refused = look(idle, "/teams", mine, "POST", asked, **headers)
        assert (refused.status, refused.headers["content-type"]) == (403, "application/problem+json"), headers
    assert "of another site" not in {each["name"] for each in idle.ask("GET", "/teams").json}
    assert look(idle, "/jobs", mine, **{"Sec-Fetch-Site": "cross-site"}).status == 403
    assert look(idle, "//", mine, **{"Sec-Fetch-Site": "cross-site"}).status == 403
    for number, origin in enumerate([{"Sec-Fetch-Site": "same-origin"}, {"Origin": f"http://127.0.0.1:{idle.port}"}]):
        made = look(idle, "/teams", mine, "POST", {"name": f"of a page {number}"}, **good, **origin)
        assert made.status == 201, made.body
    assert sign_in(idle, ADMINISTRATOR, **{"Sec-Fetch-Site": "cross-site"}).status == 403


def test_a_wrong_token_signs_nobody_in(idle: Service) -> None:
    for token in ("", "dlp_of-nobody", "%00", "%ff"):
        answer = sign_in(idle, token)
        assert (answer.status, "set-cookie" in answer.headers) == (401, False)


@pytest.mark.parametrize(
    "next_", ["//evil.example", "/\\evil.example", "https://evil.example", "/a%0d%0ab", "javascript:x"]
)
def test_signing_in_leads_to_no_other_host(idle: Service, next_: str) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    body = f"token={ADMINISTRATOR}&next={next_}".encode()
    answer = idle.ask("POST", "//login", body, token=None, headers=kind)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    assert idle.ask("GET", f"//language?to=zh&next={next_}", token=None).headers["location"] == "/"


def test_what_is_none_of_our_forms_is_refused(idle: Service) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    assert idle.ask("POST", "//login", b"a=b&" * 1000, token=None, headers=kind).status == 400


def test_errors_are_pages_and_tell_nothing_of_the_server(idle: Service) -> None:
    mine = cookie(idle)
    for path in (f"//jobs/{JOB}", "//nothing", "//jobs/%3Cscript%3E", "//static/..%2fapp.py", "//?q=%00"):
        answer = look(idle, path, mine)
        assert answer.status == 404
        assert answer.headers["content-type"].startswith("text/html")
        assert b"<script>" not in answer.body
        assert b"Traceback" not in answer.body

"""Signing in by a provider with a real browser, which sends cookies to whom it does."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.e2e.user import make_user
from tests.service.oidc.conftest import RULES
from tests.service.oidc.provider import CLIENT, SECRET, providing
from tests.service.running import Service

from .visiting import visiting

PERSON = {"sub": "<b>alice</b>", "groups": ["speech"]}


def test_with_keys_alone_to_where_one_wanted(chromium: Browser, tmp_path: Path) -> None:
    with providing(person=PERSON) as provider:
        (tmp_path / "rules.toml").write_text(RULES.format(issuer=json.dumps(provider.issuer)))
        service = Service(make_user(tmp_path), tmp_path / "data", ("--workers", 0))
        service.start()  # finds a port
        service.ask("POST", "/teams", {"name": "speech"})
        service.stop()
        options = (
            "--oidc-issuer",
            provider.issuer,
            "--oidc-client-id",
            CLIENT,
            "--oidc-rules",
            tmp_path / "rules.toml",
        )
        service.options += (*options, "--public-url", f"http://127.0.0.1:{service.port}")
        service.environment = {"DLPIPE_OIDC_SECRET": SECRET}
        service.start()
        try:
            with visiting(chromium, service, locale="zh-CN", expected=("403",)) as visit:
                visit.go("/new")
                page = visit.page
                page.get_by_role("link", name="使用您的账号登录").focus()
                page.keyboard.press("Enter")
                page.wait_for_url("**/new")
                expect(page.locator(".team")).to_contain_text("oidc:<b>alice</b>")
                page.wait_for_selector("#target-count:not(:empty)")  # the form's script is there
                page.get_by_role("button", name="退出").focus()
                page.keyboard.press("Enter")
                page.wait_for_url("**/login")
                provider.person = {"sub": "stranger"}
                page.get_by_role("link", name="使用您的账号登录").click()
                expect(page.get_by_role("alert").first).to_contain_text("无权使用此服务")
        finally:
            service.stop()

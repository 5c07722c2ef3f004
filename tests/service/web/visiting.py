"""A visitor of the pages in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, Page

from tests.service.running import ADMINISTRATOR, Service


@dataclass
class Visit:
    """One visitor. `faults`: what the browser complained of, such as a script's error or a refused source."""

    service: Service
    context: BrowserContext
    page: Page
    faults: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        self.page.goto(f"http://127.0.0.1:{self.service.port}{path}")

    def sign_in(self, token: str = ADMINISTRATOR) -> None:
        self.go("/login")
        self.page.fill("#token", token)
        self.page.press("#token", "Enter")
        self.page.wait_for_selector("nav a")


@contextmanager
def visiting(
    chromium: Browser, service: Service, *, expected: tuple[str, ...] = (), **options: object
) -> Iterator[Visit]:
    """At the end the browser has complained of nothing but what `expected` names."""
    context = chromium.new_context(**options)
    context.set_default_timeout(60_000)
    visit = Visit(service, context, context.new_page())
    visit.page.on("pageerror", lambda error: visit.faults.append(str(error)))
    visit.page.on("dialog", lambda dialog: (visit.faults.append(f"dialog: {dialog.message}"), dialog.accept()))
    visit.page.on("console", lambda said: visit.faults.append(said.text) if said.type in ("error", "warning") else None)
    try:
        yield visit
        faults = [each for each in visit.faults if not any(part in each for part in expected)]
        assert not faults, str(faults)
    finally:
        context.close()

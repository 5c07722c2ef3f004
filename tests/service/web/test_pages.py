"""The pages in a real browser, on a server that queues and converts nothing. What the browser complains of fails a
test: scripts' errors, what the policy refuses, dialogs that a hostile name opened."""

from __future__ import annotations

import hashlib
import json
import random
import re
import sqlite3
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.contrast import COLOURS
from tests.service.running import NO_MODEL, Service
from tests.service.test_agents import ABOUT

from .visiting import visiting

HOSTILE = "<img src=x onerror=alert(1)>'\"&{{7*7}}</script><script>alert(2)</script>.onnx".replace("/", "")
DROP = """([name, content]) => {
  const data = new DataTransfer();
  data.items.add(new File([content], name));
  document.getElementById("model-drop").dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
}"""


def test_a_dropped_file_becomes_a_job_with_what_was_asked(chromium: Browser, idle: Service) -> None:
    token = idle.token("droppers", "read", "submit")
    content = "{no model, but of this content"
    with visiting(chromium, idle) as visit:
        visit.sign_in(token)
        page = visit.page
        page.click("text=New job >> nth=0")
        page.wait_for_selector("#target-count:not(:empty)")  # the form's script is there
        page.evaluate(DROP, [HOSTILE, content])
        expect(page.locator("#model-list li").first).to_have_text(HOSTILE)
        page.fill("#target-search", "raspberry pi 4")  # no word of "64-bit"
        page.locator("#targets .choice:visible").get_by_role("radio").check()
        page.get_by_label("As small as can be").check()
        page.click("text=More settings")
        page.fill("[name=label]", HOSTILE)
        page.fill("[name=inputs]", "x:1x3; y:1x4")
        page.click("text=Labelled data")
        names = {"name": "names.txt", "mimeType": "text/plain", "buffer": b"cat\ndog\n"}
        page.set_input_files("#labels", names)
        page.click("#submit")
        page.wait_for_url("**/jobs/job-*")
        expect(page.locator("h1")).to_have_text(HOSTILE)
        expect(page.locator("#job-head .badge")).to_have_text("queued")
        (job,) = idle.ask("GET", "/jobs", token=token).json["jobs"]
        assert (job["title"], job["label"], job["targets"]) == (HOSTILE, HOSTILE, ["arm64-cortex-a72"])
        digest = hashlib.sha256(content.encode()).hexdigest()
        assert idle.ask("HEAD", f"/uploads/{digest}", token=token).headers["upload-complete"] == "?1"
        names_digest = hashlib.sha256(b"cat\ndog\n").hexdigest()
        kept = sqlite3.connect(idle.data / "service.sqlite")
        (asked,) = kept.execute("SELECT asked FROM jobs WHERE name = ?", (job["id"],)).fetchone()
        kept.close()
        assert json.loads(asked)["labels"] == {"files": {"names.txt": names_digest}, "entry": "names.txt"}
        for path in ("/", f"/?q={job['id'][:3]}", "/health", "/new"):
            visit.go(path)
            page.wait_for_load_state("networkidle")
        visit.go("/?q=onerror&state=queued")
        expect(page.locator("table.jobs a")).to_have_text(HOSTILE)


def test_a_file_that_breaks_off_goes_on_where_it_stood(chromium: Browser, idle: Service, tmp_path: Path) -> None:
    """Its digest is the script's own work: of many blocks, and of a length that fills none."""
    token = idle.token("breaking off", "read", "submit")
    content = NO_MODEL + random.Random(1).randbytes(900_001 - len(NO_MODEL))
    (tmp_path / "m.onnx").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    part = {"Content-Range": f"bytes 0-499999/{len(content)}"}
    assert idle.ask("PUT", f"/uploads/{digest}", content[:500_000], token=token, headers=part).status == 202
    sent: list[str] = []
    with visiting(chromium, idle, expected=("503",)) as visit:
        visit.sign_in(token)
        visit.go("/new")
        broken = [True]

        def fail_once(route: object) -> None:
            if broken:
                broken.clear()
                route.fulfill(status=503, body="{}")
            else:
                sent.append(route.request.headers["content-range"])
                route.continue_()

        visit.page.route("**/uploads/*", lambda r: fail_once(r) if r.request.method == "PUT" else r.continue_())
        visit.page.set_input_files("#model-files", tmp_path / "m.onnx")
        visit.page.check("input[value='x86-64']")
        visit.page.click("#submit")
        visit.page.wait_for_url("**/jobs/job-*")
    assert sent == [f"bytes 500000-900000/{len(content)}"]
    (job,) = idle.ask("GET", "/jobs", token=token).json["jobs"]
    assert job["targets"] == ["x86-64"]


def test_keys_alone_suffice_in_chinese_too(chromium: Browser, idle: Service, tmp_path: Path) -> None:
    token = idle.token("keys", "read", "submit")
    (tmp_path / "m.onnx").write_bytes(NO_MODEL)
    with visiting(chromium, idle, locale="zh-CN") as visit:
        visit.go("/login")
        page = visit.page
        assert page.locator("html").get_attribute("lang") == "zh"
        expect(page.locator("h1")).to_have_text("登录")
        page.keyboard.type(token)  # the field has the focus
        page.keyboard.press("Enter")
        page.wait_for_selector("nav a")

        def tab_to(selector: str) -> None:
            for _ in range(80):
                page.keyboard.press("Tab")
                if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                    style = page.evaluate(
                        "() => { const e = document.activeElement; const c = e.closest('.choice') ?? e;"
                        " const s = getComputedStyle(c); return [s.outlineStyle, parseFloat(s.outlineWidth)]; }"
                    )
                    assert style[0] != "none", f"{selector}: the focus does not show"
                    assert style[1] >= 2, selector
                    return
            raise AssertionError(f"Tab does not reach {selector}")

        tab_to("nav a[href='/new']")
        page.keyboard.press("Enter")
        page.wait_for_url("**/new")
        tab_to("#model-files")
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Space")
        chooser.value.set_files(tmp_path / "m.onnx")
        tab_to("input[name=target]")  # one that the search hides below
        tab_to("#submit")
        page.keyboard.press("Enter")
        expect(page.locator("#target-search")).to_be_focused()
        expect(page.locator("#said")).to_have_text("请先选择设备。")
        page.keyboard.type("图形处理器 vulkan 1.0")
        expect(page.locator("#targets .choice:visible")).to_have_count(2)
        page.keyboard.press("Control+A")
        page.keyboard.type("x86-64-v2")
        expect(page.locator("#targets .choice:visible")).to_have_count(1)
        tab_to("input[name=target]")
        page.keyboard.press("Space")
        tab_to("#submit")
        page.keyboard.press("Enter")
        page.wait_for_url("**/jobs/job-*")
        expect(page.locator("#job-head .badge")).to_have_text("排队中")
        (job,) = idle.ask("GET", "/jobs", token=token).json["jobs"]
        assert job["targets"] == ["x86-64-v2"]
        tab_to(".who a[lang=en]")
        page.keyboard.press("Enter")
        expect(page.locator("#job-head .badge")).to_have_text("queued")
        page.wait_for_load_state("networkidle")


def test_a_job_that_changes_is_drawn_anew_and_can_be_cancelled_and_retried(chromium: Browser, idle: Service) -> None:
    token = idle.token("watchers", "read", "submit")
    job = idle.submit(token=token, label="<b>watched</b>").json["id"]
    with visiting(chromium, idle, expected=("dialog: Cancel this job?",)) as visit:
        visit.sign_in(token)
        visit.go(f"/jobs/{job}")
        visit.page.click("#cancel")
        expect(visit.page.locator("#job-head .badge")).to_have_text("cancelled")
        visit.page.click("#retry")
        expect(visit.page.locator("#job-head .badge")).to_have_text("queued")
        assert idle.ask("GET", f"/jobs/{job}", token=token).json["state"] == "queued"
        idle.ask("POST", f"/jobs/{job}/cancel", token=token)  # by somebody else: the page hears of it
        expect(visit.page.locator("#job-head .badge")).to_have_text("cancelled")


def test_an_administrator_makes_a_team_and_a_token_and_revokes_it(chromium: Browser, idle: Service) -> None:
    sure = "dialog: Revoke this token?"
    with visiting(chromium, idle, expected=(sure,)) as visit:
        visit.sign_in(idle.token("heads", "read", "admin"))
        page = visit.page
        page.click("text=Teams and tokens")
        page.locator("#new-team [name=name]").fill("vision")
        page.click("text=Make the team")
        expect(page.locator("#teams")).to_have_value("vision")
        page.locator("#new-token [name=name]").fill("build server")
        page.get_by_label("admin: makes").check()
        page.get_by_label("submit: uploads").uncheck()
        page.fill("[name=days]", "")
        page.click("text=Make the token")
        expect(page.locator("#secret")).to_be_visible()
        secret = page.locator("#secret").input_value()
        mine = idle.ask("GET", "/whoami", token=secret).json
        assert mine == {"team": "vision", "name": "build server", "scopes": ["admin", "read"], "expires": None}
        page.reload()
        assert secret not in page.content(), "it is shown this once"
        page.get_by_label("Room, in GB: vision").fill("1.5")
        page.get_by_label("Hours of a job: vision").fill("2")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Save what vision may have")).to_be_focused()  # once the table was drawn anew
        page.reload()
        expect(page.get_by_label("Room, in GB: vision")).to_have_value("1.5")
        (vision,) = [each for each in idle.ask("GET", "/teams").json if each["name"] == "vision"]
        limits = ("max_bytes", "max_waiting", "max_time_limit", "max_memory")
        assert [vision[name] for name in limits] == [1_500_000_000, None, 7200.0, None]
        page.get_by_label("Room, in GB: vision").fill("")
        with page.expect_response("**/api/v1/teams/*"):
            page.get_by_label("Save what vision may have").click()
        expect(page.get_by_label("Save what vision may have")).to_be_focused()
        (vision,) = [each for each in idle.ask("GET", "/teams").json if each["name"] == "vision"]
        assert (vision["max_bytes"], vision["max_time_limit"]) == (None, 7200.0)
        assert page.locator("#tokens tr", has_text="heads").get_by_role("button").count() == 0, (
            "nobody shuts himself out"
        )
        page.get_by_label("Revoke build server of vision").click()
        page.click("text=that open nothing any more")
        expect(page.locator("#old-tokens tr", has_text="build server")).to_contain_text("revoked")
        assert idle.ask("GET", "/whoami", token=secret).status == 401


def test_an_administrator_reads_the_audit_log_with_keys_alone(chromium: Browser, idle: Service) -> None:
    token = idle.token("audited", "read", "submit")
    job = idle.submit(token=token, label=HOSTILE).json["id"]
    idle.ask("GET", "/tokens", token=token)
    with visiting(chromium, idle, locale="zh-CN") as visit:
        visit.sign_in(idle.token("auditors", "read", "admin"))
        page = visit.page
        page.locator("nav a[href='/audit']").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/audit")
        expect(page.locator("h1")).to_have_text("审计日志")
        page.locator("[name=team]").focus()
        page.keyboard.type("audited")
        for _ in range(20):  # a date has fields of its own
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.tagName === 'BUTTON'"):
                break
        page.keyboard.press("Enter")
        page.wait_for_url("**/audit?team=audited&*")
        rows = page.locator("#audit tbody tr")
        expect(rows).to_have_count(2)
        expect(rows.nth(0)).to_contain_text("GET /api/v1/tokens")
        expect(rows.nth(0).locator(".badge.failed")).to_have_text("已拒绝")
        expect(rows.nth(1)).to_contain_text(job)
        expect(rows.nth(1)).to_contain_text(HOSTILE)
        visit.go("/audit?action=job.submit&actor=nobody&since=2020-01-01&until=nonsense")
        expect(page.locator("#audit")).to_have_count(0)
        for number in range(51):
            idle.ask("POST", "/teams", {"name": f"page {number} of the log"})
        visit.go("/audit?action=team.create")
        expect(rows).to_have_count(50)
        page.click("a[rel=next]")
        expect(rows.first).to_be_visible()
        expect(page.locator("a", has_text="回到最新")).to_have_attribute("href", re.compile("action=team.create"))


def test_boards_are_shown_to_those_they_work_for(chromium: Browser, idle: Service) -> None:
    hostile = "<b>A76</b> & more"
    agent = idle.token("makers", "read", "board")
    board = {**ABOUT, "name": "kitchen", "processor": hostile}
    assert idle.ask("POST", "/boards", board, token=agent).status == 201
    for token, count in ((agent, 1), (idle.token("neighbours", "read"), 0)):
        with visiting(chromium, idle) as visit:
            visit.sign_in(token)
            visit.go("/health")
            rows = visit.page.get_by_role("region", name="Boards").locator("tbody tr")
            expect(rows).to_have_count(count)
            if count:
                expect(rows).to_contain_text(hostile)
                expect(rows).to_contain_text("idle")


def test_pages_are_legible_and_fit(chromium: Browser, idle: Service) -> None:
    """Text against what is behind it in light and dark; nothing wider than a telephone."""
    token = idle.token("readers", "read", "submit", "admin")
    job = idle.submit(token=token, label="<b>" + "long" * 40).json["id"]
    low: dict[str, object] = {}
    for scheme in ("light", "dark"):
        size = {"width": 400, "height": 800}
        with visiting(chromium, idle, color_scheme=scheme, viewport=size) as visit:
            visit.sign_in(token)
            for path in ("/", "/new", f"/jobs/{job}", "/health", "/admin", "/audit", "/jobs/none"):
                visit.faults = [each for each in visit.faults if "404" not in each]
                visit.go(path)
                visit.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
                found = visit.page.evaluate(CONTRAST)
                assert found["read"] > 5
                assert found["content"] <= 400, path
                if found["low"]:
                    low[f"{path} {scheme}"] = found["low"]
            visit.faults = [each for each in visit.faults if "404" not in each]
    assert low == {}


CONTRAST = (
    "() => {"
    + COLOURS
    + """
  const low = [];
  let read = 0;
  for (const element of document.querySelectorAll("body *")) {
    if (element instanceof SVGElement) continue;
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) continue;
    read += 1;
    const [a, b] = [luminance(numbers(getComputedStyle(element).color)), luminance(behind(element))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) low.push(`${element.tagName}.${element.className}: ${ratio.toFixed(2)}`);
  }
  return {low, read, content: document.documentElement.scrollWidth};
}"""
)

"""The whole story of a user who only has a browser, and of a CI job that asks for the same: one conversion for both."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.data.keyword_clips import unpack
from tests.e2e.user import make_user
from tests.service.running import Service, serving

from .visiting import Visit, visiting

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
TARGET, BACKEND = "arm64", "onnxruntime"


@dataclass(frozen=True)
class Watched:
    """What a page showed until its job had ended, in this order; it was never loaded anew."""

    visit: Visit
    token: str
    job: str
    states: list[str]
    progress: list[str]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("story")
    with serving(make_user(folder), folder / "data") as started:
        yield started


@pytest.fixture(scope="module")
def model(shared: Path) -> Path:
    return shared / "models" / "arm_ml_kws" / "DS_CNN_S.pb"


@pytest.fixture(scope="module")
def clips(shared: Path, service: Service) -> Path:
    return unpack(shared, service.user.folder / "clips", per_class=3)


@pytest.fixture(scope="module")
def watched(chromium: Browser, service: Service, model: Path, clips: Path) -> Iterator[Watched]:
    """A frozen graph for 64-bit Arm, by the form alone."""
    token = service.token("speech", "read", "submit")
    with visiting(chromium, service) as visit:
        visit.sign_in(token)
        page = visit.page
        page.click("text=New job >> nth=0")
        page.wait_for_selector("#target-count:not(:empty)")  # the form's script is there
        # as the command sends it: with the labels beside it, in whose order the network answers
        page.set_input_files("#model-files", [model, model.with_name("labels.txt")])
        page.select_option("#model-entry", model.name)
        page.fill("#target-search", "64-bit arm any linux")
        page.locator("#targets .choice:visible").get_by_role("radio").check()
        page.get_by_label("Exactly as it is").check()
        page.get_by_label("Accuracy that may be lost").fill("0.5%")
        page.click("text=Labelled data")
        page.set_input_files("#data-folder", clips)
        page.click("text=More settings")
        page.fill("[name=backends]", BACKEND)
        page.click("#submit")
        page.wait_for_url("**/jobs/job-*")
        page.evaluate("window.same = true")
        states, progress = _watch(visit)
        assert page.evaluate("window.same"), "the page was loaded anew"
        yield Watched(visit, token, page.url.rpartition("/")[2], states, progress)


def _watch(visit: Visit) -> tuple[list[str], list[str]]:
    states: list[str] = []
    progress: list[str] = []
    while not {"succeeded", "failed", "cancelled"} & set(states):
        for shown, said in (("#job-head .badge", states), ("#job-stages .hint", progress)):
            text = visit.page.locator(shown).first.inner_text()
            if said[-1:] != [text]:
                said.append(text)
        visit.page.wait_for_timeout(100)
    return states, progress


@pytest.fixture(scope="module")
def report(service: Service, watched: Watched) -> dict[str, Any]:
    found: dict[str, Any] = service.ask("GET", f"/jobs/{watched.job}/report.json", token=watched.token).json
    return found


@pytest.fixture(scope="module")
def chosen(report: dict[str, Any]) -> dict[str, Any]:
    (found,) = [each for each in report["artifacts"] if each["path"] == report["selected"][TARGET]["path"]]
    return dict(found)


def test_it_is_seen_at_work_until_it_has_ended(watched: Watched) -> None:
    assert watched.states[-1] == "succeeded", (watched.states, watched.progress)
    assert "running" in watched.states
    done = [each.split(" done")[0].split(" of ") for each in watched.progress if " of " in each]
    assert any(0 < int(some) < int(all_) for some, all_ in done), watched.progress
    assert done[-1][0] == done[-1][1], watched.progress
    said = " ".join(watched.progress)
    assert f"compile:{TARGET}/{BACKEND}-fp32" in said or "import" in said, "the stage that runs is named"
    expect(watched.visit.page.locator("#log")).to_contain_text(f"ok accuracy:compile:{TARGET}/{BACKEND}-fp32")


def test_the_page_and_the_report_have_the_same_figures(
    watched: Watched, report: dict[str, Any], chosen: dict[str, Any]
) -> None:
    page = watched.visit.page
    expect(page.locator(".chosen h2")).to_contain_text(f"{BACKEND} fp32")
    expect(page.locator(".chosen .badge").first).to_have_text(chosen["verdict"])
    told = {each.locator("dt").inner_text(): each.inner_text() for each in page.locator(".chosen .figures > div").all()}
    size, unit = told["Size"].split("\n")[-1].split()
    assert float(size) * {"kB": 1e3, "MB": 1e6}[unit] == pytest.approx(chosen["size_bytes"], rel=5e-3)
    assert float(told["Error"].split("\n")[1]) == pytest.approx(chosen["fidelity"]["max_rel"], rel=0.05)
    accuracy = chosen["accuracy"]
    assert f"{100 * accuracy['value']:.2f} %" in told["Accuracy"]
    assert f"n {accuracy['n']}" in told["Accuracy"]
    assert accuracy["n"] == 36
    with page.expect_popup() as opened:
        page.click("#report")
    whole = opened.value
    expect(whole.locator("body")).to_contain_text(report["run"])
    expect(whole.locator("body")).to_contain_text(f"{100 * accuracy['value']:.2f} %")
    whole.close()


def test_what_is_downloaded_runs_and_answers_as_the_original(
    service: Service, watched: Watched, chosen: dict[str, Any], model: Path, clips: Path, tmp_path: Path
) -> None:
    page = watched.visit.page
    with page.expect_download() as download:
        page.click("#archive")
    assert download.value.suggested_filename.endswith(".zip")
    download.value.save_as(tmp_path / "job.zip")
    with zipfile.ZipFile(tmp_path / "job.zip") as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    (artefact,) = tmp_path.glob(f"*/{chosen['path']}")
    clip = min((clips / "left").glob("*.wav"))
    original = service.user.ok("run", model, "--input", clip, "--json").json
    emulated = service.user.ok("run", artefact, "--input", clip, "--json").json
    assert emulated["ran_on"] == "qemu-aarch64"
    assert emulated["results"][0]["label"] == original["results"][0]["label"]


def test_a_ci_job_asks_for_the_same_and_passes_its_limit(
    service: Service, watched: Watched, report: dict[str, Any], model: Path, clips: Path
) -> None:
    asked = ("-t", TARGET, "-b", BACKEND, "--precision", "fp32", "--data", clips, "--max-accuracy-drop", "0.5%")
    service.ok("submit", model, *asked, "--wait", "--out", "ci", token=watched.token)
    mine = json.loads((service.user.folder / "ci" / "report.json").read_text())
    judged = [each["passed"] for each in mine["gates"] if each["name"] == "max-accuracy-drop"]
    assert judged, "of the graph and of the artefact"
    assert all(judged)
    assert {each["cache"] for each in mine["stages"] if each["status"] == "ok"} == {"hit"}, "it was computed before"
    assert [each["digest"] for each in mine["artifacts"]] == [each["digest"] for each in report["artifacts"]]

"""From an artefact back to the data and the model it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from dlpipe.errors import UserError
from dlpipe.pipeline.lineage import (
    ArtifactEntry,
    Lineage,
    MeasurementEntry,
    PublicationEntry,
    RunEntry,
    StageEntry,
    users_lineage,
)

from .postgresql_server import Server, running

MODEL, DATA, IR, SAMPLES, INT8, ARTIFACT, OTHER = (letter * 64 for letter in "abcdef0")


def stage(name: str, output: str, **inputs: str) -> StageEntry:
    parameters = {"seed": 1, "name": name}
    return StageEntry(
        stage=name, kind="pass", key=name, output=output, inputs=inputs, parameters=parameters, toolchains={"core": "9"}
    )


FIRST = RunEntry(
    run="first",
    created="2026-11-23T12:00:00+00:00",
    command="dlpipe convert m.pb",
    sources={"model": MODEL, "data": DATA},
    stages=(
        stage("quantise", INT8, ir=IR, samples=SAMPLES),  # recorded in any order
        stage("import", IR, source=MODEL),
        stage("data", SAMPLES, data=DATA),
        stage("compile", ARTIFACT, ir=INT8),
        stage("elsewhere", OTHER, ir=IR),
    ),
    artifacts=(
        ArtifactEntry(digest=ARTIFACT, target="arm64", backend="tvm", variant="int8", verdict="passed", path="a/tvm"),
    ),
    measurements=(
        MeasurementEntry(subject=ARTIFACT, name="size", value=1234, unit="bytes"),
        MeasurementEntry(subject=ARTIFACT, name="latency", value=None, provenance="absent", reason="emulated"),
        MeasurementEntry(subject=INT8, name="accuracy", value=0.93),
        MeasurementEntry(subject=OTHER, name="size", value=1, unit="bytes"),
    ),
)


@pytest.fixture(scope="module")
def server(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(repo_root, tmp_path_factory.mktemp("postgresql")) as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """A new database."""
    if request.param == "sqlite":
        return tmp_path / "new" / "lineage.sqlite"
    server: Server = request.getfixturevalue("server")
    return server.new_database()


@pytest.fixture
def lineage(place: Path | str) -> Lineage:
    return Lineage(place)


def test_a_run_comes_back_as_it_was_recorded(lineage: Lineage, place: Path | str) -> None:
    lineage.record_run(FIRST)
    lineage.record_run(FIRST)
    assert Lineage(place).run("first") == FIRST
    assert lineage.runs() == [FIRST]
    with pytest.raises(LookupError):
        lineage.run("second")


def test_the_chain_of_an_artefact(lineage: Lineage) -> None:
    lineage.record_run(FIRST)
    history = lineage.of_artifact(ARTIFACT[:12])
    assert history.artifact == FIRST.artifacts[0]
    assert history.run == "first"
    names = [each.stage for each in history.stages]
    assert sorted(names) == ["compile", "data", "import", "quantise"]
    assert names[2:] == ["quantise", "compile"]
    assert history.sources == {MODEL: "model", DATA: "data"}
    assert {(each.subject, each.name) for each in history.measurements} == {
        (ARTIFACT, "size"),
        (ARTIFACT, "latency"),
        (INT8, "accuracy"),
    }


def test_what_an_earlier_run_made_is_part_of_the_chain(lineage: Lineage) -> None:
    """A later run takes the first one's model as its source."""
    later = RunEntry(
        run="later",
        created="2026-11-24T12:00:00+00:00",
        sources={"model": INT8},
        stages=(stage("compile", "1" * 64, ir=INT8),),
        artifacts=(ArtifactEntry(digest="1" * 64, target="x86-64", backend="ncnn", variant="int8", verdict="passed"),),
    )
    lineage.record_run(FIRST)
    lineage.record_run(later)
    history = lineage.of_artifact("1" * 64)
    assert history.stages[-1].stage == "compile"
    assert {each.stage for each in history.stages} == {"import", "data", "quantise", "compile"}
    assert [each.run for each in lineage.runs()] == ["later", "first"]


def test_unknown_and_ambiguous_artefacts_are_said(lineage: Lineage) -> None:
    lineage.record_run(FIRST)
    with pytest.raises(LookupError, match="no artefact"):
        lineage.of_artifact("777")
    twin = replace(FIRST.artifacts[0], digest=ARTIFACT[:-1] + "0")
    lineage.record_run(replace(FIRST, run="twin", artifacts=(twin,)))
    with pytest.raises(LookupError, match="several"):
        lineage.of_artifact(ARTIFACT[:8])
    with pytest.raises(LookupError, match="no artefact"):
        lineage.of_artifact("%")


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "lineage.sqlite").write_bytes(b"something else" * 100)
    with pytest.raises(UserError, match="cannot use"):
        Lineage(tmp_path / "lineage.sqlite")
    assert (tmp_path / "lineage.sqlite").read_bytes() == b"something else" * 100


def test_runs_recorded_at_once_are_all_kept(place: Path | str) -> None:
    def keep(number: int) -> None:
        Lineage(place).record_run(replace(FIRST, run=f"run-{number}"))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(keep, range(12)))
    assert len(Lineage(place).runs()) == 12


def test_a_pass_that_changed_nothing_does_not_end_the_chain(lineage: Lineage) -> None:
    given, model, artifact = "a" * 64, "b" * 64, "c" * 64
    stages = (
        StageEntry(stage="import", kind="import", key="1" * 64, output=model, inputs={"source": given}),
        StageEntry(stage="clean", kind="pass", key="2" * 64, output=model, inputs={"ir": model}),
        StageEntry(stage="compile", kind="compile", key="3" * 64, output=artifact, inputs={"ir": model}),
    )
    made = ArtifactEntry(digest=artifact, target="arm64", backend="tvm", variant="fp32", verdict="passed")
    lineage.record_run(
        RunEntry(
            run="r", created="2026-01-01T00:00:00+00:00", sources={"model": given}, stages=stages, artifacts=(made,)
        )
    )
    history = lineage.of_artifact(artifact)
    assert [stage.stage for stage in history.stages] == ["import", "compile"]
    assert history.sources == {given: "model"}


def test_what_was_published_stays_known_when_the_run_is_recorded_again(lineage: Lineage) -> None:
    signed = PublicationEntry(
        subject=ARTIFACT, kind="signed", place="/out", identity="k", created="2026-11-24T00:00:00"
    )
    pushed = replace(signed, kind="pushed", place="registry/net:1", created="2026-11-25T00:00:00")
    lineage.record_run(FIRST)
    lineage.record_publications([pushed, signed, replace(signed, subject=OTHER)])
    lineage.record_publications([again := replace(signed, identity="k2")])
    lineage.record_run(FIRST)
    assert lineage.of_artifact(ARTIFACT).publications == (again, pushed)


def test_a_server_that_is_not_there_and_what_is_no_address(server: Server) -> None:
    address = server.new_database()
    with pytest.raises(UserError, match="does not exist"):
        Lineage(address.replace("lineage", "other"))
    with pytest.raises(UserError, match="cannot use") as caught:
        Lineage("postgresql://me:secret@127.0.0.1:9/lineage")
    assert "secret" not in caught.value.message
    for wrong in ("mysql://host/lineage", "/some/file", "postgresql://host:port/x"):
        with pytest.raises(UserError):
            Lineage(wrong)


def test_the_users_own_is_where_the_variable_says(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DLPIPE_CACHE_DIR", str(tmp_path))
    users_lineage().record_run(FIRST)
    assert (tmp_path / "lineage.sqlite").is_file()
    monkeypatch.setenv("DLPIPE_LINEAGE", server.new_database())
    assert users_lineage().runs() == []
    users_lineage().record_run(replace(FIRST, run="shared"))
    assert [each.run for each in users_lineage().runs()] == ["shared"]

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pipeline.store.remote.servers import BUCKET, S3, asked_for


@pytest.fixture(scope="session")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with asked_for(tmp_path_factory.mktemp("s3")) as server:
        server.make_bucket()
        yield server


@pytest.fixture
def s3(_server: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """The environment of this process finds it, and it has the bucket BUCKET."""
    import s3fs

    for name, value in _server.environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()  # it may have looked for another server before
    return _server


@pytest.fixture(params=["file", "s3"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An address of nobody else's."""
    fresh = tmp_path_factory.mktemp("bucket")
    if request.param == "file":
        return f"file://{fresh}"
    request.getfixturevalue("s3")
    return f"s3://{BUCKET}/{fresh.name}"

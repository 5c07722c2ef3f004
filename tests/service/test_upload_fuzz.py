"""Whatever senders announce, send, break off and remove: what is complete has the digest of its name, and what is not
says truly how far it came."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from dlpipe.service.uploads import UploadRefused, Uploads

FILES = (b"", b"a", bytes(range(200)))
WRONG = b"not what was promised" * 20
LIMIT = 300

SENDING = st.tuples(
    st.sampled_from(FILES),
    st.integers(min_value=0, max_value=LIMIT + 50),  # where it begins
    st.integers(min_value=0, max_value=LIMIT + 50),  # how long it says the whole is
    st.lists(st.integers(min_value=0, max_value=120), max_size=5),  # the pieces that come
    st.sampled_from(["right", "wrong", "breaks", "remove"]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(SENDING, max_size=12))
def test_any_order_of_senders(sendings: list[tuple[bytes, int, int, list[int], str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        uploads = Uploads(Path(folder), LIMIT)
        for content, start, total, pieces, how in sendings:
            digest = hashlib.sha256(content).hexdigest()
            before = uploads.received(digest)
            if how == "remove":
                assert uploads.remove(digest) == (before is not None)
                assert uploads.received(digest) is None
                continue
            # Half of the time it goes on where the upload stands, as a client would.
            begins = before.size if before is not None and start % 2 == 0 else start
            length = len(content) if total % 2 == 0 else total
            text = WRONG if how == "wrong" else content
            try:
                received = asyncio.run(uploads.take(digest, begins, length, chunks(text[begins:], pieces, how)))
                assert received == uploads.received(digest)
            except UploadRefused as refused:
                assert refused.status in (400, 409, 413, 422)
                now = uploads.received(digest)
                if refused.offset is not None:
                    assert refused.offset == (now.size if now is not None else 0)
            except ConnectionError:
                assert how == "breaks"
            check(uploads, before is not None and before.complete, digest, Path(folder))


async def chunks(text: bytes, pieces: list[int], how: str) -> AsyncIterator[bytes]:
    for size in pieces:
        yield text[:size]
        text = text[size:]
    if how == "breaks":
        raise ConnectionError
    yield text


def check(uploads: Uploads, was_complete: bool, digest: str, folder: Path) -> None:
    now = uploads.received(digest)
    if was_complete:
        assert now is not None
        assert now.complete, "nobody spoils what is there"
    if now is not None and now.complete:
        assert hashlib.sha256(uploads.path(digest).read_bytes()).hexdigest() == digest
    for path in folder.rglob("*"):
        assert path.is_dir() or path.stat().st_size <= LIMIT

"""What the API and workers on other machines share through a bucket, of one team: uploads, logs and results.

    teams/TEAM/store/             the pipeline's store: objects, trees, records (pipeline/store/remote)
    teams/TEAM/uploads/DIGEST     a file that was sent
    teams/TEAM/looked/DIGEST      its age says when somebody last looked for that file
    teams/TEAM/jobs/JOB/N.log     the log of its attempt N, as far as it is
    teams/TEAM/jobs/JOB/N.json    {"out": digest of a tree in `store`}: its output folder, once it is there in full

Each machine's data folder holds copies of what it has made or was asked for.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from dlpipe.errors import StoreUnreachable
from dlpipe.pipeline.store import Lost, Store
from dlpipe.pipeline.store.remote import Bucket
from dlpipe.pipeline.store.values import check_digest

_POINTER_BYTES = 1 << 16
_AT_ONCE = 8  # requests
_NEW_SECONDS = 21600.0  # less than the day for which gc leaves everything alone


class Shared:
    """`bucket`: the team's part. Methods raise StoreUnreachable."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self.url = bucket.url
        self.store = bucket.below("store")

    def upload_size(self, digest: str) -> int | None:
        """In bytes; None where it is not there."""
        return self._bucket.size(_upload(digest))

    def send_upload(self, digest: str, path: Path) -> None:
        """Nothing where it is there."""
        if self.upload_size(digest) is None:
            self._bucket.send(_upload(digest), path)

    def fetch_upload(self, digest: str, path: Path, limit: int) -> None:
        """Raises Lost where it is not there, or is something else."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            self._bucket.fetch(_upload(digest), fresh, limit)
            with fresh.open("rb") as file:
                whole = hashlib.file_digest(file, "sha256").hexdigest() == digest
            if not whole:
                self._bucket.move(_upload(digest), f"damaged/upload-{digest}-{secrets.token_hex(4)}")
                raise Lost(f"the upload {digest[:12]} is damaged in the shared store", hint="send it again")
            fresh.chmod(0o444)
            fresh.replace(path)
        except FileNotFoundError:
            raise Lost(f"the upload {digest[:12]} is not in the shared store", hint="send it again") from None
        finally:
            fresh.unlink(missing_ok=True)

    def look_for_upload(self, digest: str) -> int | None:
        """Its bytes; None where it is not there. Whoever looks is about to use it: it counts as new (gc.py)."""
        found = self._bucket.entry(_upload(digest))
        if found is None:
            return None
        if time.time() - found.modified > _NEW_SECONDS:
            self._bucket.write(_looked(digest), b"")
        return found.size

    def uploads_before(self, when: float) -> dict[str, int]:
        """Digest and bytes of those that nobody has sent or looked for since."""
        looked = {entry.name for entry in self._bucket.listing("looked") if entry.modified >= when}
        old = [entry for entry in self._bucket.listing("uploads") if entry.modified < when]
        sizes = {entry.name.rpartition("/")[2]: entry.size for entry in old}
        return {each: size for each, size in sizes.items() if _is_digest(each) and _looked(each) not in looked}

    def looked_for(self, digest: str) -> float:
        """When somebody last looked for an upload, in seconds since 1970; 0 where nobody did."""
        return self._bucket.modified(_looked(digest)) or 0.0

    def remove_upload(self, digest: str) -> bool:
        """Whether it was there."""
        there = self._bucket.remove(_upload(digest))
        self._bucket.remove(_looked(digest))
        return there

    def remove_job(self, job: str, attempts: int) -> None:
        """Its logs, and what leads to its outputs; what these are made of stays in the store."""
        for attempt in range(1, attempts + 1):
            for kind in ("log", "json"):
                self._bucket.remove(f"jobs/{job}/{attempt}.{kind}")

    def send_log(self, job: str, attempt: int, log: Path) -> None:
        """As it is now."""
        self._bucket.write(f"jobs/{job}/{attempt}.log", log.read_bytes())

    def read_log(self, job: str, attempt: int, offset: int, limit: int) -> bytes:
        """At most `limit` bytes from `offset` on, of what has come."""
        return self._bucket.read_part(f"jobs/{job}/{attempt}.log", offset, limit)

    def send_output(self, job: str, attempt: int, out: Path, cache: Path) -> None:
        """`cache`: the folder of the team's cache here. What stages made is in the bucket, and is not sent again."""
        store = Store(cache / "store", bucket=self.store)
        with store.pin(job):
            tree = store.ingest(out)
            store.share(tree.digest)
        self._bucket.write(f"jobs/{job}/{attempt}.json", json.dumps({"out": tree.digest}).encode())

    def outputs(self) -> set[str]:
        """Digests of the trees that attempts left, of jobs that have not been removed."""
        names = [entry.name for entry in self._bucket.listing("jobs") if entry.name.endswith(".json")]
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return {digest for digest in threads.map(self._output, names) if digest is not None}

    def _output(self, name: str) -> str | None:
        """None where it is just gone, or damaged: then nothing finds the way to its tree."""
        try:
            return check_digest(json.loads(self._bucket.read(name))["out"])
        except (FileNotFoundError, KeyError, TypeError, ValueError):
            return None

    def fetch_output(self, job: str, attempt: int, out: Path, cache: Path) -> None:
        """The whole folder or none. Raises Lost."""
        pointer = out.with_name(f".{out.name}.{secrets.token_hex(8)}.json")
        pointer.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._bucket.fetch(f"jobs/{job}/{attempt}.json", pointer, _POINTER_BYTES)
            digest = str(json.loads(pointer.read_bytes())["out"])
            silent: list[str] = []
            store = Store(cache / "store", bucket=self.store, on_trouble=silent.append)
            with store.pin(job):
                store.export(digest, out)
        except Lost:
            if silent:
                raise StoreUnreachable(silent[0]) from None
            raise
        except (FileNotFoundError, KeyError, TypeError, ValueError) as error:
            raise Lost(f"the output of {job} is missing or damaged in the shared store") from error
        finally:
            with suppress(OSError):
                pointer.unlink(missing_ok=True)


def _upload(digest: str) -> str:
    return f"uploads/{digest[:2]}/{digest}"


def _looked(digest: str) -> str:
    return f"looked/{digest}"


def _is_digest(name: str) -> bool:
    try:
        check_digest(name)
    except ValueError:
        return False
    return True

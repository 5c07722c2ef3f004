"""Where the service's files lie, below its data folder. Workers on other machines need the same folder, or a bucket."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

from dlpipe.errors import UserError
from dlpipe.pipeline.store.remote import Bucket
from dlpipe.service.shared import Shared
from dlpipe.toolchains.manager import default_cache_dir

VARIABLE = "DLPIPE_DATA_DIR"
DATABASE = "DLPIPE_DATABASE"


@dataclass(frozen=True, slots=True)
class Places:
    """`database`: a file, or the address of a PostgreSQL database. `bucket`: what machines share beside that."""

    root: Path
    database: Path | str
    bucket: Bucket | None = None

    @staticmethod
    def of_environment() -> Places:
        """`$DLPIPE_DATA_DIR`, else the user's data folder; `$DLPIPE_DATABASE`, else a SQLite file in there;
        `$DLPIPE_STORE_URL`. Raises UserError."""
        chosen = os.environ.get(VARIABLE)
        root = Path(chosen).expanduser().absolute() if chosen else user_data_path("dlpipe")
        return Places(root, os.environ.get(DATABASE) or root / "service.sqlite", Bucket.of_environment())

    def make(self) -> None:
        """Nobody but this user looks in. What a bucket needs has to be installed. Raises UserError, ToolMissing."""
        os.umask(0o077)
        if self.bucket is not None:
            self.bucket.open()
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            hint = f"{VARIABLE} chooses another folder"
            raise UserError(f"{self.root} cannot be made: {error.strerror}", hint=hint) from error

    def checked(self) -> Places:
        """Itself. Raises UserError where no service keeps its data."""
        if isinstance(self.database, Path) and not self.database.is_file():
            hint = f"{VARIABLE} names the folder, {DATABASE} a database elsewhere"
            raise UserError(f"there is no service's data in {self.root}", hint=hint)
        return self

    def uploads(self, team: int) -> Path:
        return self.root / "uploads" / str(team)

    def job(self, job: str) -> Path:
        return self.root / "jobs" / job

    def shared(self, team: int) -> Shared | None:
        return Shared(self.bucket.below("teams", str(team))) if self.bucket is not None else None

    def attempt(self, job: str, attempt: int) -> Path:
        """Of one attempt at a job: what it was given, its log, its events, and `out`."""
        return self.job(job) / str(attempt)

    def cache(self, team: int) -> Path:
        """Each team's own: whether a stage was computed before, for another team, must not show. Toolchains hold
        nothing of anybody's and are shared, and so is the word on their licences."""
        own, shared = self.root / "caches" / str(team), default_cache_dir()
        own.mkdir(parents=True, exist_ok=True)
        for name in ("toolchains", "licences"):
            (shared / name).mkdir(parents=True, exist_ok=True)
            if not (own / name).is_symlink():
                fresh = own / f".{name}-{os.getpid()}"
                fresh.symlink_to(shared / name)
                fresh.replace(own / name)
        return own

"""The user's word on proprietary licences: a toolchain under one is installed only where it was given.

It is given for one run by DLPIPE_ACCEPT_LICENCES (names of toolchains, comma separated, or `all`), and for good by
`dlpipe toolchain install NAME --accept-licence`, which leaves a record beside the environments. A record holds for the
licence that was read: where another one takes its place, the user is asked anew.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dlpipe.errors import ToolMissing
from dlpipe.toolchains.spec import Spec

VARIABLE = "DLPIPE_ACCEPT_LICENCES"


@dataclass(frozen=True, slots=True)
class Licences:
    """Records in `folder`, one file for each toolchain."""

    folder: Path

    def accepted(self, spec: Spec) -> bool:
        """True for everything that is under a free licence."""
        return not spec.proprietary or bool(_named() & {"all", spec.name, spec.build_of}) or self._remembered(spec)

    def accept(self, spec: Spec) -> None:
        """Remember the user's word. Raises OSError where the folder cannot be written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        record = {**_of(spec), "accepted": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
        with tempfile.NamedTemporaryFile("w", dir=self.folder, delete=False, encoding="utf-8") as file:
            json.dump(record, file, indent=1)
        Path(file.name).replace(self._record(spec))

    def refusal(self, spec: Spec) -> ToolMissing:
        """What the user is told who has not given it."""
        return ToolMissing(f"the {spec.name} toolchain is {terms(spec)}; {how(spec)}", **_where(spec))

    def _remembered(self, spec: Spec) -> bool:
        try:
            record = json.loads(self._record(spec).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(record, dict) and {key: record.get(key) for key in _of(spec)} == _of(spec)

    def _record(self, spec: Spec) -> Path:
        return self.folder / f"{spec.name}.json"


def terms(spec: Spec) -> str:
    """ "under a proprietary licence, NAME of VENDOR (read it: WHERE)"."""
    return f"under a proprietary licence, {spec.licence} of {spec.vendor} (read it: {spec.licence_text})"


def how(spec: Spec) -> str:
    """What to do to give one's word."""
    return f"if you accept it: dlpipe toolchain install {spec.name} --accept-licence, or {VARIABLE}={spec.name}"


def _of(spec: Spec) -> dict[str, str | None]:
    return {"licence": spec.licence, "vendor": spec.vendor, "licence_text": spec.licence_text}


def _where(spec: Spec) -> dict[str, str | None]:
    return {"toolchain": spec.name, **_of(spec)}


def _named() -> set[str | None]:
    return {word.strip() for word in os.environ.get(VARIABLE, "").split(",")}

"""New keys, written where the user wants them and never over older ones."""

from __future__ import annotations

import os
from pathlib import Path

from dlpipe.errors import UserError
from dlpipe.package import keys, sealing
from dlpipe.pipeline.store.disk import writing


def make_signing_keys(place: Path) -> dict[str, str]:
    """`place` (only its owner may read it) and `place`.pub. Raises UserError where one of them exists."""
    private, public = keys.new_key()
    beside = place.with_name(place.name + ".pub")
    write_new({place: (private, 0o600), beside: (public, 0o644)})
    return {"private": str(place), "public": str(beside)}


def make_identity(place: Path) -> dict[str, str]:
    """An age identity as `place` (only its owner may read it), which `age-keygen` makes too. Raises UserError."""
    identity, recipient = sealing.new_identity()
    write_new({place: (f"# public key: {recipient}\n{identity}\n".encode(), 0o600)})
    return {"private": str(place), "recipient": recipient}


def write_new(files: dict[Path, tuple[bytes, int]]) -> None:
    """place -> content, mode. All of them or none. Raises UserError where one exists, DiskTrouble."""
    if taken := next((place for place in files if place.exists()), None):
        raise UserError(f"{taken} exists", hint="a key is never overwritten: choose another name")
    done: list[Path] = []
    try:
        for place, (data, mode) in files.items():
            with writing(place, "the key's folder"):
                descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
                done.append(place)
                with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
                    file.write(data)
    except BaseException:
        for place in done:
            place.unlink(missing_ok=True)
        raise

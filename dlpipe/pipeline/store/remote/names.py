"""How what is in a bucket is called."""

from __future__ import annotations

from dlpipe.pipeline.store.values import Kind, check_digest

# `used`: an empty file whose age says when the record was last used.
FOLDERS = {"record": "records", "tree": "trees", "object": "objects", "use": "used"}
_SUFFIXES = {"record": ".json", "tree": ".json", "object": "", "use": ""}
REMOVED = "removed"  # removed/ROUND/NAME: what gc took away, until a later round
DAMAGED = "damaged"


def name_of(kind: Kind | str, digest: str) -> str:
    """`kind`: one of FOLDERS."""
    return f"{FOLDERS[kind]}/{digest[:2]}/{digest[2:]}{_SUFFIXES[kind]}"


def digest_of(kind: Kind | str, name: str) -> str | None:
    """None where nothing of this kind is called so."""
    digest = name.removeprefix(f"{FOLDERS[kind]}/").removesuffix(_SUFFIXES[kind]).replace("/", "", 1)
    try:
        return digest if name_of(kind, check_digest(digest)) == name else None
    except ValueError:
        return None

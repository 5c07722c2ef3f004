"""`HOST[:PORT]/REPOSITORY[:TAG][@sha256:DIGEST]`: where an artefact is in a registry."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dlpipe.errors import UserError

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<host>[A-Za-z0-9.-]+(?::\d+)?|\[[0-9a-fA-F:]+\](?::\d+)?)/(?P<repository>{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_LOOPBACK = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?")


@dataclass(frozen=True, slots=True)
class Reference:
    host: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Raises UserError. The host is never guessed: a package goes nowhere that was not named."""
        found = _REFERENCE.fullmatch(text.removeprefix("oci://"))
        if found is None:
            raise UserError(
                f"{text} names no place in a registry",
                hint="HOST/REPOSITORY:TAG, e.g. registry.example.org/team/net:1.0",
            )
        return cls(**found.groupdict())

    @property
    def is_loopback(self) -> bool:
        """Then plain HTTP is spoken, as other clients do."""
        return _LOOPBACK.fullmatch(self.host) is not None

    @property
    def wanted(self) -> str:
        """What of the repository is meant: the digest, else the tag, else `latest`."""
        return self.digest or self.tag or "latest"

    def at(self, digest: str) -> str:
        """The same place, by the digest of what lies there."""
        return f"{self.host}/{self.repository}@{digest}"

"""A cfg: sections of `key=value` lines. The first is the network's own, every other one a layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dlpipe_worker import Refused

MAX_BYTES = 4 << 20
MAX_LAYERS = 10_000
MAX_INT = 1 << 31


@dataclass
class Section:
    """index: of the layer, counted as Darknet does; -1 for the network's own. asked: options that were looked at."""

    kind: str
    index: int
    options: dict[str, str] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return f"{self.kind}_{self.index}"

    def text(self, key: str, default: str = "") -> str:
        self.asked.add(key)
        return self.options.get(key, default)

    def integer(self, key: str, default: int = 0) -> int:
        """Raises Refused for a value that is none."""
        return int(self._number(key, default, whole=True))

    def real(self, key: str, default: float) -> float:
        return self._number(key, default, whole=False)

    def numbers(self, key: str, whole: bool = True) -> list[float]:
        """A list with commas."""
        parts = [each.strip() for each in self.text(key).split(",")]
        return [self._parse(key, each, whole) for each in parts if each]

    def _number(self, key: str, default: float, whole: bool) -> float:
        text = self.text(key)
        return self._parse(key, text, whole) if text else default

    def _parse(self, key: str, text: str, whole: bool) -> float:
        try:
            found = float(int(text)) if whole else float(text)
        except ValueError:
            raise Refused(f"[{self.kind}] {self.index}: {key} is {text[:40]!r}, which is no number") from None
        if not abs(found) < MAX_INT:
            raise Refused(f"[{self.kind}] {self.index}: {key} is {text[:40]}, beyond anything sensible")
        return found


def read_cfg(path: Path) -> list[Section]:
    """Raises Refused for a text that is no network."""
    if path.stat().st_size > MAX_BYTES:
        raise Refused(f"{path.name} is larger than any network's description")
    try:
        text = path.read_text(encoding="utf-8", errors="strict")
    except UnicodeDecodeError:
        raise Refused(f"{path.name} is not text, so it is not a Darknet cfg") from None
    found: list[Section] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            if not line.endswith("]"):
                raise Refused(f"{path.name}: line {number}: {line[:40]!r} is no section")
            found.append(Section(line[1:-1].strip().lower(), len(found) - 1))
        elif not found or "=" not in line:
            raise Refused(f"{path.name}: line {number}: {line[:40]!r} is neither a section nor an option")
        else:
            key, _, value = line.partition("=")
            found[-1].options.setdefault(key.strip(), value.partition("#")[0].strip())  # Darknet takes the first
    if not found or found[0].kind not in ("net", "network"):
        raise Refused(f"{path.name} does not begin with [net], so it is not a Darknet cfg")
    if not 1 < len(found) <= MAX_LAYERS:
        raise Refused(f"{path.name} has {len(found) - 1} layers")
    return found

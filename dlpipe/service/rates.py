"""How often somebody may ask: a bucket of tokens for each, which fills up steadily."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_HOSTS_BITS = 64  # of an address of IPv6: one network, whose machines choose them freely
_MANY = 20_000  # buckets; whoever has not asked for longest begins anew with a full one


@dataclass(frozen=True, slots=True)
class Taken:
    """`left`: what may be asked at once from here. `wait`: seconds until there is one again, where there was none."""

    allowed: bool
    left: int
    wait: float


class Rate:
    """`each` per second in the long run, `burst` at once. clock: seconds, for tests."""

    def __init__(self, each: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.each = each
        self.burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # who -> (what is in it, when)

    def take(self, who: str) -> Taken:
        return self._look(who, 1.0)

    def look(self, who: str) -> Taken:
        """As `take` would answer, taking nothing."""
        return self._look(who, 0.0)

    @property
    def policy(self) -> str:
        """Of the header RateLimit-Policy: so many in so many seconds."""
        return f'"requests";q={self.burst};w={max(1, math.ceil(self.burst / self.each))}'

    def _look(self, who: str, price: float) -> Taken:
        with self._lock:
            now = self._clock()
            level, then = self._buckets.pop(who, (float(self.burst), now))
            level = min(float(self.burst), level + (now - then) * self.each)
            allowed = level >= 1.0
            if allowed:
                level -= price
            self._buckets[who] = (level, now)
            if len(self._buckets) > _MANY:
                self._buckets.popitem(last=False)
        return Taken(allowed, int(level), max(0.0, (1.0 - level) / self.each))


def network(address: str) -> str:
    """Whose address it is, as far as it tells: one of IPv6 stands for its network, since whoever has one has 2^64."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found) >> _HOSTS_BITS << _HOSTS_BITS, 128 - _HOSTS_BITS)))

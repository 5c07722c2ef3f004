"""The ONNX backend suites: import and passes change no result of any case that ONNX Runtime can execute."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dlpipe import ir, passes
from dlpipe.contracts.call import Call
from dlpipe.passes.registry import STANDARD, pass_info
from dlpipe.passes.registry import passes as pass_names

# Of onnx 1.23.2 on ONNX Runtime 1.31.1: how many cases there are, and how many of these must give the same numbers
# ("same"), or give the suite's numbers once imported, where ONNX Runtime refuses the original ("became executable").
SUITES = {
    "light": (9, 9, 0),
    "simple": (23, 17, 0),
    "pytorch-converted": (82, 59, 23),
    "pytorch-operator": (35, 24, 11),
    "node": (1884, 1397, 142),
}
EXACT = [
    name
    for name in pass_names()
    if (info := pass_info(name)).exact and not info.needs and not info.changes_interface and name != "opset"
]
# The standard chain, then what else is exact; "clean" once more, behind what leaves something to it.
CHAIN = [*STANDARD, *(name for name in EXACT if name not in STANDARD), "clean"]
SMALL = {"simplify": {"seconds": 60}, "unroll": {"limit": 2000}}
PASSES = [[name, {**pass_info(name).defaults, **SMALL.get(name, {})}] for name in CHAIN]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("suite", SUITES)
def test_no_result_changes(bench: Any, suite: str) -> None:
    libraries = tuple(Path(str(room.__file__)).parent for room in (ir, passes))
    params = {"suite": suite, "passes": PASSES, "only": []}
    worker = Path(__file__).with_name("worker.py")
    found, _ = bench.run(Call("core", worker, "try_suite", params, libraries=libraries))
    _list(suite, found)
    assert [f"{name}: {why}" for name, (verdict, why) in found.items() if verdict in ("failed", "refused")] == []
    counts = Counter(verdict for verdict, _ in found.values())
    total, same, became = SUITES[suite]
    assert len(found) == total
    assert counts["same"] >= same
    assert counts["became executable"] >= became


def _list(suite: str, found: dict[str, list[str]]) -> None:
    """What was not tried, by reason: shown with `-s`, or when the test fails."""
    print(f"{suite}: {dict(Counter(verdict for verdict, _ in found.values()))}")
    reasons = Counter((verdict, why) for verdict, why in found.values() if verdict not in ("same", "became executable"))
    for (verdict, why), count in reasons.most_common():
        print(f"  {count} x {verdict}: {why}")

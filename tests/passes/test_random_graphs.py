"""Random chains of the operators that the exact passes work on."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CHANNELS = 4
LINKS = {
    "conv": "Conv<pads=[1,1,1,1]>({0}, w{1})",
    "depthwise": f"Conv<pads=[1,1,1,1], group={CHANNELS}>({{0}}, d{{1}}, b{{1}})",
    "norm": "BatchNormalization({0}, g{1}_positive, b{1}, m{1}, v{1}_positive)",
    "relu": "Relu({0})",
    "scale": "Mul(s{1}, {0})",
    "offset": "Add({0}, s{1})",
    "less": "Sub(s{1}, {0})",
    "share": "Div({0}, p{1}_positive)",
    "same": "Identity({0})",
    "square": "Mul({0}, {0})",
    "skip": "Add({0}, x)",
    "forth": "Transpose<perm=[0,2,3,1]>({0})",
    "back": "Transpose<perm=[0,3,1,2]>({0})",
}


def build(links: list[str]) -> tuple[str, dict[str, list[int]]]:
    """Text and weights; "forth" and "back" are let in only where they leave channels first at the end."""
    last, last_op, turned, nodes, weights = "x", "", False, [], {}
    for link in [*links, "back"]:
        fits = turned if link == "back" else not turned if link in LINKS else False
        if turned and link not in ("back", "relu", "same", "square"):
            continue
        if not turned and link == "back":
            continue
        assert fits or turned
        turned = link == "forth" or (turned and link != "back")
        i = len(nodes)
        nodes.append(f"n{i} = {LINKS[link].format(last, i)}")
        last, last_op = f"n{i}", link
        c = CHANNELS
        weights |= {f"w{i}": [c, c, 3, 3], f"d{i}": [c, 1, 3, 3], f"s{i}": [c, 1, 1], f"p{i}_positive": [1, c, 1, 1]}
        weights |= {f"{name}{i}": [c] for name in "bm"} | {f"{name}{i}_positive": [c] for name in "gv"}
    del last_op
    return f"(float[1,4,5,5] x) => (float[1,4,5,5] y) {{ {'  '.join(nodes)}  y = Tanh({last}) }}", weights


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(links=st.lists(st.sampled_from(sorted(LINKS)), min_size=1, max_size=9))
def test_exact_passes_keep_the_outputs(links, bench, try_text, try_pass):
    body, weights = build(links)
    tried = try_text("fold-batchnorm", body, weights=weights, scale=0.5)
    assert tried.error < 1e-4
    for name in ("fuse", "layout", "clean"):
        after = try_pass(name, tried.ir)
        assert after.error < 1e-4
        assert not try_pass(name, after.ir).value["modified"], f"{name} is not done after one run"

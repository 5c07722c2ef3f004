"""Passes that keep the outputs (`graph/`)."""

from dlpipe.contracts.passes import PassInfo

_SIMPLIFY_SECONDS = 600
_UNROLLED_NODES = 20_000

PASSES = (
    PassInfo("simplify", "onnxsim, in a process of its own", exact=True, defaults={"seconds": _SIMPLIFY_SECONDS}),
    PassInfo("fold-constants", "what is the same for every input is computed once", exact=True),
    PassInfo("fold-batchnorm", "batch norms, scales and offsets go into the weights before them", exact=True),
    PassInfo("fold-before", "scales and offsets go into the weights behind them", exact=True),
    PassInfo("merge-linear", "two linear layers in a row are one, where that takes less work", exact=True),
    PassInfo("fuse", "operators that one operator can do, and transposes that cancel", exact=True),
    PassInfo("reshapes", "reshapes that do nothing, or that one reshape can do", exact=True),
    PassInfo("layout", "transposes that cancel through the operators between them", exact=True),
    PassInfo("identities", "nodes that hand on what they are given", exact=True),
    PassInfo("subexpressions", "what several nodes compute alike is computed once", exact=True),
    PassInfo("dedupe-weights", "equal weights are stored once", exact=True),
    PassInfo("dead-code", "what no output depends on", exact=True),
    PassInfo("clean", "identities, common subexpressions, equal weights and dead code, until none is left", exact=True),
    PassInfo("unroll", "loops of known length, written out", exact=True, defaults={"limit": _UNROLLED_NODES}),
    PassInfo(
        "specialise",
        "free dims become sizes, e.g. specialise:batch=1",
        exact=True,
        defaults={"dims": {}},
        gathers="dims",
        changes_interface=True,
    ),
    PassInfo(
        "extract",
        "a part of the graph, by names of values",
        exact=True,
        defaults={"inputs": [], "outputs": []},
        changes_interface=True,
    ),
    PassInfo("opset", "another operator set, earlier or later", exact=True, defaults={"version": 0}),
)

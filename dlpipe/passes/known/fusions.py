"""Groups of operators that later ONNX operators stand for (`fusions/`)."""

from dlpipe.contracts.passes import PassInfo

_COMPOSED = ["Attention", "Gelu", "LayerNormalization", "RMSNormalization", "RotaryEmbedding", "Swish"]

_RAISE = {"raise_opset": True}

PASSES = (
    PassInfo("fuse-activations", "HardSwish, LeakyRelu and others that were written out", exact=True),
    PassInfo("fuse-gelu", "GELU, both forms", exact=True, defaults=_RAISE),
    PassInfo("fuse-norms", "layer norm and RMS norm", exact=True, defaults=_RAISE),
    PassInfo("fuse-rotary", "rotary position embedding", exact=True, defaults=_RAISE),
    PassInfo("fuse-attention", "attention, with the heads split and put together", exact=True, defaults=_RAISE),
    PassInfo(
        "decompose",
        "operators that a compiler does not know, written out",
        exact=True,
        defaults={"operators": _COMPOSED},
    ),
)

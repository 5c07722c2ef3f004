"""Small programs made and executed by Paddle itself. Run by the paddle toolchain: cases.py OUT [old].

Per case a folder: x.json (old: x.pdmodel), x.pdiparams, x.npz with its inputs and outputs.
"""

import sys
from pathlib import Path

import numpy as np
import paddle
from paddle import nn

F = nn.functional
OLD = "old" in sys.argv  # in the form of Paddle 2; the caller sets FLAGS_enable_pir_api=0 as well

random = np.random.default_rng(6)
IMAGE, FLAT, WORDS = (2, 4, 12, 10), (2, 6), (2, 7)


def normal(*shape):
    return random.standard_normal(shape).astype(np.float32)


class One(nn.Layer):
    """Of one input."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Two(One):
    """Of two: Paddle looks at how many there are."""

    def forward(self, x, y):
        return self.function(x, y)


class First(nn.Layer):
    """Only the first output."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0]


LAYERS = {
    "conv": (nn.Conv2D(4, 6, 3, stride=2, padding=1), [IMAGE]),
    "conv-group": (nn.Conv2D(4, 8, 3, groups=4, dilation=2, bias_attr=False), [IMAGE]),
    "conv-same": (nn.Conv2D(4, 6, 3, stride=2, padding="SAME"), [IMAGE]),
    "conv-1d": (nn.Conv1D(3, 5, 3, padding=1), [(2, 3, 9)]),
    "conv-3d": (nn.Conv3D(2, 4, 3), [(1, 2, 5, 6, 6)]),
    "conv-transpose": (nn.Conv2DTranspose(4, 3, 3, stride=2, padding=1, output_padding=1), [IMAGE]),
    "max": (nn.MaxPool2D(3, 2, padding=1), [IMAGE]),
    "max-ceil": (nn.MaxPool2D(3, 2, ceil_mode=True), [IMAGE]),
    "avg": (nn.AvgPool2D(3, 2, padding=1, exclusive=False), [IMAGE]),
    "avg-exclusive": (nn.AvgPool2D(3, 2, padding=1), [IMAGE]),
    "adaptive": (nn.AdaptiveAvgPool2D((3, 5)), [IMAGE]),
    "adaptive-uneven": (nn.AdaptiveAvgPool2D((5, 4)), [IMAGE]),
    "adaptive-larger": (nn.AdaptiveAvgPool2D((15, 3)), [IMAGE]),
    "adaptive-max": (nn.AdaptiveMaxPool2D((5, 4)), [IMAGE]),
    "adaptive-inside": (nn.Sequential(nn.AdaptiveAvgPool2D(5), nn.Conv2D(4, 3, 1), nn.AdaptiveAvgPool2D(2)), [IMAGE]),
    "adaptive-free": (nn.AdaptiveAvgPool2D((5, 4)), [IMAGE]),
    "batchnorm": (nn.BatchNorm2D(4), [IMAGE]),
    "layernorm": (nn.LayerNorm(10), [IMAGE]),
    "groupnorm": (nn.GroupNorm(2, 4), [IMAGE]),
    "instancenorm": (nn.InstanceNorm2D(4), [IMAGE]),
    "lrn": (nn.LocalResponseNorm(3), [IMAGE]),
    "linear": (nn.Linear(6, 5), [FLAT]),
    "prelu": (nn.PReLU(4), [IMAGE]),
    "embedding": (nn.Embedding(9, 5), [random.integers(0, 9, WORDS)]),
    "lstm": (First(nn.LSTM(5, 4, num_layers=2, direction="bidirect")), [(2, 7, 5)]),
    "gru": (nn.GRU(5, 4), [(2, 7, 5)]),
    "rnn": (nn.SimpleRNN(5, 4), [(2, 7, 5)]),
    "attention": (nn.MultiHeadAttention(8, 2), [(2, 5, 8)]),
    "upsample": (nn.Upsample(scale_factor=2, mode="nearest"), [IMAGE]),
    "upsample-linear": (nn.Upsample(size=(20, 15), mode="bilinear", align_corners=False), [IMAGE]),
    "upsample-corners": (nn.Upsample(size=(20, 15), mode="bilinear", align_corners=True), [IMAGE]),
    "pixel-shuffle": (nn.PixelShuffle(2), [IMAGE]),
    "pad": (nn.Pad2D([1, 2, 0, 1], mode="reflect"), [IMAGE]),
}
ACTIVATIONS = (
    *("relu", "relu6", "sigmoid", "tanh", "gelu", "elu", "selu", "silu", "mish", "softplus", "softsign", "hardswish"),
    *("hardsigmoid", "leaky_relu", "swish", "softmax", "log_softmax", "hardtanh"),
)
FUNCTIONS = {
    "arithmetic": (lambda x, y: (x + y) * (x - y) / (y * y + 1.0), [FLAT, FLAT]),
    "numbers": (lambda x: 2.0 / (x**2 + 1.5) - 3.0 * x, [FLAT]),
    "powers": (
        lambda x: paddle.exp(x) + paddle.sqrt(x * x) + paddle.log(x * x + 1.0) + paddle.rsqrt(x * x + 1.0),
        [FLAT],
    ),
    "rounding": (lambda x: paddle.floor(x) + paddle.ceil(x) + paddle.abs(x) + paddle.sign(x), [FLAT]),
    "trigonometry": (lambda x: paddle.sin(x) + paddle.cos(x) + paddle.erf(x) + paddle.atan(x), [FLAT]),
    "limits": (lambda x, y: paddle.maximum(x, y) - paddle.minimum(x, y) + paddle.clip(x, -0.5, 0.5), [FLAT, FLAT]),
    "compare": (lambda x, y: paddle.where(x > y, x, y) + paddle.cast(x == y, "float32"), [FLAT, FLAT]),
    "reduce": (lambda x: x.mean([2, 3]) + x.sum([2, 3]) + x.max([2, 3]) + x.min([2, 3]), [IMAGE]),
    "norm": (lambda x: F.normalize(x, axis=1), [IMAGE]),
    "argmax": (lambda x: paddle.argmax(x, axis=1), [FLAT]),
    "topk": (lambda x: paddle.topk(x, 3, axis=1), [FLAT]),
    "cumsum": (lambda x: paddle.cumsum(x, axis=1), [FLAT]),
    "reshape": (lambda x: paddle.reshape(x, [0, 2, -1]), [IMAGE]),
    "flatten": (lambda x: paddle.flatten(x, 1, 2), [IMAGE]),
    "transpose": (lambda x: paddle.transpose(x, [0, 2, 3, 1]), [IMAGE]),
    "concat-split": (lambda x: paddle.concat(paddle.split(x, 2, axis=1)[::-1], axis=1), [IMAGE]),
    "stack": (lambda x, y: paddle.stack([x, y], axis=1), [FLAT, FLAT]),
    "slice": (lambda x: x[:, 1:3, ::2, -4:], [IMAGE]),
    "squeeze": (lambda x: paddle.squeeze(paddle.unsqueeze(x, [1, 3]), [1]), [FLAT]),
    "expand": (lambda x: paddle.expand(x.unsqueeze(1), [-1, 3, 6]), [FLAT]),
    "tile": (lambda x: paddle.tile(x, [1, 2]), [FLAT]),
    "gather": (lambda x, y: paddle.gather(x, y, axis=1), [FLAT, np.array([4, 1, 0])]),
    "gather-nd": (lambda x, y: paddle.gather_nd(x, y), [FLAT, np.array([[0, 4], [1, 2]])]),
    "index-select": (lambda x, y: paddle.index_select(x, y, axis=1), [FLAT, np.array([4, 1, 0])]),
    "one-hot": (lambda x: F.one_hot(x, 9), [random.integers(0, 9, WORDS)]),
    "matmul": (lambda x, y: paddle.matmul(x, y, transpose_y=True), [(2, 3, 6), (2, 5, 6)]),
    "bmm": (lambda x, y: paddle.bmm(x, y), [(2, 3, 6), (2, 6, 4)]),
    "grid-sample": (lambda x, y: F.grid_sample(x, paddle.tanh(y)), [IMAGE, (2, 5, 6, 2)]),
    "pad-constant": (lambda x: F.pad(x, [1, 2, 0, 1], value=0.5), [IMAGE]),
    "flip": (lambda x: paddle.flip(x, [2]), [IMAGE]),
    "shape": (lambda x: paddle.reshape(x, [paddle.shape(x)[0], -1]) * 2.0, [IMAGE]),
}


def write(name, layer, inputs):
    layer.eval()
    for value in (*layer.parameters(), *layer.buffers()):
        if value.dtype != paddle.float32:
            continue
        low = 0.5 if "variance" in value.name or "w_2" in value.name else -0.5
        value.set_value(paddle.to_tensor(random.uniform(low, 0.9, value.shape).astype(np.float32)))
    arrays = [normal(*each) if isinstance(each, tuple) else np.asarray(each) for each in inputs]
    spec = []
    for index, (each, given) in enumerate(zip(arrays, inputs, strict=True)):
        first = None if each.ndim > 1 and isinstance(given, tuple) else each.shape[0]  # the batch is free
        rest = [each.shape[1], None, None] if name == "adaptive-free" else each.shape[1:]
        spec.append(paddle.static.InputSpec([first, *rest], str(each.dtype), f"x{index}"))
    static = paddle.jit.to_static(layer, input_spec=spec, full_graph=True)
    folder = Path(sys.argv[1], name)
    folder.mkdir()
    paddle.jit.save(static, str(folder / "x"))
    found = layer(*map(paddle.to_tensor, arrays))
    flat = paddle.utils.flatten(found)
    made = {f"in_x{index}": each for index, each in enumerate(arrays)}
    made.update({f"out_{index}": each.numpy() for index, each in enumerate(flat)})
    np.savez(folder / "x.npz", **made)


def write_sizes(name):
    """As Paddle 2 wrote it: a size of a shape, taken out of another, has the shape [1] there."""
    paddle.enable_static()
    x = paddle.static.data("x0", [-1, *IMAGE[1:]], "float32")
    size = paddle.shape(x)[0]
    size.desc.set_shape([1])
    y = paddle.reshape(x, [size, 40, -1]) * 2.0
    folder = Path(sys.argv[1], name)
    executor = paddle.static.Executor(paddle.CPUPlace())
    paddle.static.save_inference_model(str(folder / "x"), [x], [y], executor)
    given = normal(*IMAGE)
    np.savez(folder / "x.npz", in_x0=given, out_0=given.reshape(2, 40, -1) * 2)
    paddle.disable_static()


if __name__ == "__main__":
    paddle.seed(3)
    cases = dict(LAYERS)
    if OLD:  # Paddle 3 can trace only some in the old form
        FUNCTIONS.clear()
        for name in ("lrn", "lstm", "gru", "rnn", "attention"):
            del cases[name]
    else:
        cases.update({f"act-{name}": (One(getattr(F, name)), [IMAGE]) for name in ACTIVATIONS})
    cases.update(
        {name: ((One, Two)[len(inputs) - 1](function), inputs) for name, (function, inputs) in FUNCTIONS.items()}
    )
    failed = []
    for name, (layer, inputs) in cases.items():
        try:
            write(name, layer, inputs)
        except Exception as error:  # noqa: BLE001  told together, so that one run shows all
            failed.append(f"{name}: {error}")
    if OLD:
        write_sizes("sizes")
    if failed:
        sys.exit("\n".join(failed))

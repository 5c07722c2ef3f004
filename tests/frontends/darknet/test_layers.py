"""Every layer in a small network, against OpenCV; against a few lines of NumPy where OpenCV does not have it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlpipe.errors import Unsupported

NET = "[net]\nwidth=12\nheight=8\nchannels=4\n"
CONV = "[convolutional]\nfilters=8\nsize=3\nstride=1\npad=1\nactivation=leaky\n"
BIAS, KERNEL = (8,), (8, 4, 3, 3)
YOLO = "[convolutional]\nfilters=21\nsize=1\nactivation=linear\n"
HEAD = "classes=2\nnum=6\nanchors=3,4, 5,6, 7,8, 9,3, 4,4, 6,2\n"

# name -> (what follows [net], shapes of the weights in their order)
CASES: dict[str, tuple[str, list[tuple[int, ...]]]] = {
    "convolution": (CONV, [BIAS, KERNEL]),
    "convolution, normalised": (CONV + "batch_normalize=1\n", [BIAS, BIAS, BIAS, BIAS, KERNEL]),
    "convolution, groups": (CONV + "groups=4\n", [BIAS, (8, 1, 3, 3)]),
    "convolution, strided": (CONV.replace("stride=1", "stride=2"), [BIAS, KERNEL]),
    "convolution, padding by number": (CONV.replace("pad=1", "padding=2"), [BIAS, KERNEL]),
    **{
        f"activation {each}": (CONV.replace("leaky", each), [BIAS, KERNEL])
        for each in ("linear", "logistic", "relu", "tanh", "mish", "swish")
    },
    "max pooling": (CONV + "[maxpool]\nsize=2\nstride=2\n", [BIAS, KERNEL]),
    "max pooling, stride 1": (CONV + "[maxpool]\nsize=2\nstride=1\n", [BIAS, KERNEL]),
    "max pooling, 5 x 5": (CONV + "[maxpool]\nsize=5\nstride=1\n", [BIAS, KERNEL]),
    "max pooling, no padding": (CONV + "[maxpool]\nsize=3\nstride=2\npadding=0\n", [BIAS, KERNEL]),
    "average pooling": (CONV + "[avgpool]\n", [BIAS, KERNEL]),
    "route": (CONV + "[maxpool]\nsize=3\nstride=1\n[route]\nlayers=-1, 0\n", [BIAS, KERNEL]),
    "route, one": (CONV + "[maxpool]\nsize=3\nstride=1\n[route]\nlayers=-2\n[avgpool]\n", [BIAS, KERNEL]),
    "route, a group": (CONV + "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n", [BIAS, KERNEL]),
    "shortcut": (CONV + CONV + "[shortcut]\nfrom=-2\nactivation=linear\n", [BIAS, KERNEL, BIAS, (8, 8, 3, 3)]),
    "shortcut, activated": (CONV + CONV + "[shortcut]\nfrom=0\nactivation=leaky\n", [BIAS, KERNEL, BIAS, (8, 8, 3, 3)]),
    "upsample": (CONV + "[upsample]\nstride=2\n", [BIAS, KERNEL]),
    "reorg": (CONV + "[reorg]\nstride=2\n", [BIAS, KERNEL]),
    "dropout and cost": (CONV + "[dropout]\nprobability=.5\n[cost]\n", [BIAS, KERNEL]),
    "softmax": (CONV + "[avgpool]\n[softmax]\ngroups=1\n", [BIAS, KERNEL]),
    "connected": (CONV + "[connected]\noutput=5\nactivation=leaky\n", [BIAS, KERNEL, (5,), (5, 8 * 96)]),
    "squeeze and excitation": (
        CONV + "[avgpool]\n" + CONV.replace("size=3", "size=1") + "[scale_channels]\nfrom=-3\n",
        [BIAS, KERNEL, BIAS, (8, 8, 1, 1)],
    ),
    "spatial attention": (
        CONV + CONV.replace("leaky", "logistic") + "[sam]\nfrom=-2\n",
        [BIAS, KERNEL, BIAS, (8, 8, 3, 3)],
    ),
    "yolo": (YOLO + f"[yolo]\nmask=0,1,2\n{HEAD}", [(21,), (21, 4, 1, 1)]),
    "yolo, stretched": (YOLO + f"[yolo]\nmask=3,4,5\nscale_x_y=1.2\n{HEAD}", [(21,), (21, 4, 1, 1)]),
    "yolo, new coordinates": (
        YOLO.replace("linear", "logistic") + f"[yolo]\nmask=0,1,2\nscale_x_y=2.0\nnew_coords=1\n{HEAD}",
        [(21,), (21, 4, 1, 1)],
    ),
    "two heads": (
        YOLO + f"[yolo]\nmask=0,1,2\n{HEAD}[route]\nlayers=-2\n" + YOLO + f"[yolo]\nmask=3,4,5\n{HEAD}",
        [(21,), (21, 4, 1, 1), (21,), (21, 21, 1, 1)],
    ),
}


def weights(shapes: list[tuple[int, ...]], seed: int = 0) -> list[Any]:
    random = np.random.default_rng(seed)
    return [
        random.uniform(0.5, 1.5, shape)
        if len(shape) == 1
        else random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
        for shape in shapes
    ]


@pytest.mark.parametrize("name", CASES)
def test_layer(darknet: Any, name: str) -> None:
    cfg, shapes = CASES[name]
    assert darknet.run(darknet.source(NET + cfg, weights(shapes))).difference() < 1e-5


def test_region(darknet: Any) -> None:
    """YOLO 2. OpenCV suppresses overlapping boxes here whatever the cfg says: only what it leaves can be compared."""
    cfg = YOLO + "[region]\nanchors=1,2, 2,1, 3,3\nnum=3\nclasses=2\ncoords=4\nsoftmax=1\nbias_match=1\nrescore=1\n"
    ran = darknet.run(darknet.source(NET + cfg, weights([(21,), (21, 4, 1, 1)])))
    found, wanted = ran.outputs["region_1"], ran.reference["region_1"]
    np.testing.assert_allclose(found[..., :5], wanted[..., :5], rtol=1e-4, atol=1e-6)
    kept = wanted[..., 5:] > 0
    assert kept.any()
    np.testing.assert_allclose(found[..., 5:][kept], wanted[..., 5:][kept], rtol=1e-4)
    np.testing.assert_allclose(found[..., 5:].sum(-1), found[..., 4], rtol=1e-4)  # a softmax, times the objectness


def test_what_opencv_does_not_have(darknet: Any) -> None:
    """A locally connected layer: each place has kernels of its own (YOLO 1)."""
    arrays = weights([(3, 8, 12), (96, 3, 36)])
    cfg = "[local]\nfilters=3\nsize=3\nstride=1\npad=1\nactivation=linear\n"
    ran = darknet.run(darknet.source(NET + cfg, arrays), reference=False)
    data = np.random.default_rng(0).random([2, 1, 4, 8, 12]).astype(np.float32)[:, 0]
    padded = np.pad(data, [(0, 0), (0, 0), (1, 1), (1, 1)])
    wanted = np.zeros([2, 3, 8, 12])
    for row in range(8):
        for column in range(12):
            seen = padded[:, :, row : row + 3, column : column + 3].reshape(2, 36)
            wanted[:, :, row, column] = seen @ arrays[1][row * 12 + column].T + arrays[0][:, row, column]
    np.testing.assert_allclose(ran.outputs["local_0"][:, 0], wanted, rtol=1e-4, atol=1e-5)


def test_weighted_shortcuts(darknet: Any) -> None:
    """BiFPN's sums (AlexeyAB): learned factors, normalised."""
    cfg = (
        CONV
        + CONV
        + "[shortcut]\nfrom=-2\nweights_type=per_channel\nweights_normalization=softmax\nactivation=linear\n"
    )
    arrays = weights([BIAS, KERNEL, BIAS, (8, 8, 3, 3), (2, 8)])
    source = darknet.source(NET + cfg, arrays)
    ran = darknet.run(source, reference=False)
    parts = darknet.run(source, outputs=("convolutional_0", "convolutional_1"), reference=False).outputs
    factors = np.exp(arrays[4]) / np.exp(arrays[4]).sum(0)
    first, second = (factors[index].reshape(-1, 1, 1) for index in range(2))
    wanted = parts["convolutional_1"] * first + parts["convolutional_0"] * second
    np.testing.assert_allclose(ran.outputs["shortcut_2"], wanted, rtol=1e-3, atol=1e-4)


def test_deconvolution_and_crop(darknet: Any) -> None:
    cfg = "[crop]\ncrop_height=4\ncrop_width=6\n[deconvolutional]\nfilters=2\nsize=2\nstride=2\nactivation=linear\n"
    arrays = weights([(2,), (4, 2, 2, 2)])
    ran = darknet.run(darknet.source(NET + cfg, arrays), reference=False)
    data = np.random.default_rng(0).random([2, 1, 4, 8, 12]).astype(np.float32)[:, 0, :, 2:6, 3:9] * 2 - 1
    wanted = np.einsum("nchw,cokl->nohkwl", data, arrays[1]).reshape(2, 2, 8, 12) + arrays[0].reshape(-1, 1, 1)
    np.testing.assert_allclose(ran.outputs["deconvolutional_1"][:, 0], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        (CONV + "[gaussian_yolo]\n", "gaussian_yolo"),
        (CONV.replace("leaky", "stair"), "stair"),
        (CONV + "antialiasing=1\n", "antialiasing"),
        (CONV + "knee=1\n", "'knee'"),
        (CONV + "[softmax]\ntree=data/9k.tree\n", "tree"),
    ],
)
def test_what_is_refused(darknet: Any, cfg: str, message: str) -> None:
    with pytest.raises(Unsupported, match=message):
        darknet.ir(darknet.source(NET + cfg, weights([BIAS, KERNEL])))

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
    "region": (
        YOLO + "[region]\nanchors=1,2, 2,1, 3,3\nnum=3\nclasses=2\ncoords=4\nsoftmax=1\nbias_match=1\nrescore=1\n",
        [(21,), (21, 4, 1, 1)],
    ),
    "detection": (
        "[connected]\noutput=48\nactivation=linear\n[detection]\nclasses=2\ncoords=4\nside=2\nnum=2\nsqrt=1\nsoftmax=0\n",
        [(48,), (48, 384)],
    ),
    "local": ("[local]\nfilters=3\nsize=3\nstride=1\npad=1\nactivation=leaky\n", [(3, 8, 12), (96, 3, 36)]),
    "local, strided": ("[local]\nfilters=3\nsize=2\nstride=2\npad=0\n", [(3, 4, 6), (24, 3, 16)]),
    "crop": (
        "[crop]\ncrop_height=4\ncrop_width=6\nflip=1\nangle=0\nsaturation=1.5\nexposure=1\n" + CONV,
        [BIAS, KERNEL],
    ),
    "crop, as it is": ("[crop]\ncrop_height=4\ncrop_width=6\nnoadjust=1\n" + CONV, [BIAS, KERNEL]),
    "deconvolution": ("[deconvolutional]\nfilters=2\nsize=3\nstride=2\nactivation=leaky\n", [(2,), (4, 2, 3, 3)]),
    "deconvolution, normalised": (
        "[deconvolutional]\nfilters=2\nsize=4\nstride=2\npadding=1\nbatch_normalize=1\nactivation=linear\n",
        [(2,), (2,), (2,), (2,), (4, 2, 4, 4)],
    ),
    "convolution, dilated": (CONV + "dilation=2\n", [BIAS, KERNEL]),
    "convolution, strides by axis": (CONV + "stride_x=2\nstride_y=1\n", [BIAS, KERNEL]),
    "batchnorm": ("[batchnorm]\n" + CONV, [(4,), (4,), (4,), (4,), BIAS, KERNEL]),
    "normalization": (CONV + "[normalization]\nsize=5\nalpha=0.1\nbeta=0.75\nkappa=2\n", [BIAS, KERNEL]),
    "softmax in groups": (CONV + "[avgpool]\n[softmax]\ngroups=2\n", [BIAS, KERNEL]),
    "softmax in space": (CONV + "[softmax]\nspatial=1\n", [BIAS, KERNEL]),
    "upsample, scaled": (CONV + "[upsample]\nstride=2\nscale=0.5\n", [BIAS, KERNEL]),
    "max pooling, strides by axis": (CONV + "[maxpool]\nsize=2\nstride_x=2\nstride_y=1\n", [BIAS, KERNEL]),
    "shortcut, fewer channels": (
        CONV + CONV.replace("filters=8", "filters=5") + "[shortcut]\nfrom=-2\nactivation=linear\n",
        [BIAS, KERNEL, (5,), (5, 8, 3, 3)],
    ),
    "shortcut, more channels": (
        CONV + CONV.replace("filters=8", "filters=9") + "[shortcut]\nfrom=-2\nactivation=linear\n",
        [BIAS, KERNEL, (9,), (9, 8, 3, 3)],
    ),
    "shortcut, from a larger image": (
        CONV
        + CONV.replace("stride=1", "stride=2").replace("filters=8", "filters=9")
        + "[shortcut]\nfrom=-2\nactivation=leaky\n",
        [BIAS, KERNEL, (9,), (9, 8, 3, 3)],
    ),
    "shortcut, weighted": (
        CONV
        + CONV
        + "[shortcut]\nfrom=-2\nweights_type=per_channel\nweights_normalization=softmax\nactivation=linear\n",
        [BIAS, KERNEL, BIAS, (8, 8, 3, 3), (2, 8)],
    ),
    "shortcut, weighted as a whole": (
        CONV + CONV + "[shortcut]\nfrom=-2\nweights_type=per_feature\nweights_normalization=relu\nactivation=leaky\n",
        [BIAS, KERNEL, BIAS, (8, 8, 3, 3), (2, 1)],
    ),
    **{
        f"activation {each}": (CONV.replace("leaky", each), [BIAS, KERNEL])
        for each in ("relu6", "elu", "selu", "loggy", "ramp", "relie", "hardtan")
    },
    "activation alone": (CONV + "[activation]\nactivation=tanh\n[logistic]\n", [BIAS, KERNEL]),
    "two heads": (
        YOLO + f"[yolo]\nmask=0,1,2\n{HEAD}[route]\nlayers=-2\n" + YOLO + f"[yolo]\nmask=3,4,5\n{HEAD}",
        [(21,), (21, 4, 1, 1), (21,), (21, 21, 1, 1)],
    ),
}

# What OpenCV cannot read, or gets wrong (see opencv_net.departs): dlpipe's interpreter is the reference, and named.
OWN = set(
    """activation alone|activation elu|activation hardtan|activation loggy|activation ramp|activation relie
    |activation relu6|activation selu|batchnorm|convolution, dilated|convolution, strides by axis|crop|deconvolution
    |deconvolution, normalised|detection|local|local, strided|max pooling, strides by axis|normalization|region
    |shortcut, from a larger image|shortcut, weighted|shortcut, weighted as a whole|softmax in groups
    |upsample, scaled""".replace("\n    ", "").split("|")
)


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
    ran = darknet.run(darknet.source(NET + cfg, weights(shapes)))
    assert (ran.kind == "own") == (name in OWN), ran.note
    assert ran.difference() < 1e-5
    assert ran.to_interpreter() < 1e-5


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        (CONV + "[gaussian_yolo]\n", "gaussian_yolo"),
        (CONV.replace("leaky", "stair"), "stair"),
        (CONV + "antialiasing=1\n", "antialiasing"),
        (CONV + "knee=1\n", "'knee'"),
        (CONV.replace("stride=1", "stride=2") + "[upsample]\n[shortcut]\nfrom=0\n", "it adds"),
        (CONV + "[softmax]\ntree=data/9k.tree\n", "tree"),
    ],
)
def test_what_is_refused(darknet: Any, cfg: str, message: str) -> None:
    with pytest.raises(Unsupported, match=message):
        darknet.ir(darknet.source(NET + cfg, weights([BIAS, KERNEL])))

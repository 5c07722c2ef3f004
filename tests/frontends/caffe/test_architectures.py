"""Nets as people build them, small, with random weights: layers meet each other as they do in the model zoos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from dlpipe.frontends import KIT
from dlpipe.frontends.caffe import CaffeFrontend

RANDOM = Path(__file__).parent / "random_weights" / "worker.py"


def conv(name: str, bottom: str, outputs: int, size: int = 3, more: str = "", top: str | None = None) -> str:
    return f"""layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{top or name}"
      param {{ lr_mult: 1 decay_mult: 1 }} convolution_param {{ num_output: {outputs} kernel_size: {size}
      weight_filler {{ type: "msra" }} bias_filler {{ type: "constant" value: 0 }} {more} }} }}
    layer {{ name: "{name}/relu" type: "ReLU" bottom: "{top or name}" top: "{top or name}" }}
    """


def head(index: int, bottom: str, sizes: str, boxes: int) -> str:
    """An SSD head: places, confidences, and the boxes that they start from."""
    made = f"""layer {{ name: "prior{index}" type: "PriorBox" bottom: "{bottom}" bottom: "data" top: "prior{index}"
      prior_box_param {{ {sizes} flip: true clip: false variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2
      offset: 0.5 }} }}"""
    for what, numbers in (("loc", 4), ("conf", 3)):
        name = f"{what}{index}"
        made += f"""layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}"
          convolution_param {{ num_output: {boxes * numbers} kernel_size: 3 pad: 1 }} }}
        layer {{ name: "{name}_perm" type: "Permute" bottom: "{name}" top: "{name}_perm"
          permute_param {{ order: 0 order: 2 order: 3 order: 1 }} }}
        layer {{ name: "{name}_flat" type: "Flatten" bottom: "{name}_perm" top: "{name}_flat"
      flatten_param {{ axis: 1 }} }}
        """
    return made


def join(what: str, suffix: str, axis: int) -> str:
    return f"""layer {{ name: "{what}" type: "Concat" bottom: "{what}1{suffix}" bottom:
      "{what}2{suffix}" top: "{what}"
      concat_param {{ axis: {axis} }} }}"""


SSD = (
    'input: "data" input_shape { dim: 1 dim: 3 dim: 48 dim: 48 }'
    + conv("c1", "data", 8, more="pad: 1 stride: 2")
    + 'layer { name: "dw" type: "Convolution" bottom: "c1" top: "dw" '
    + "convolution_param { num_output: 8 kernel_size: 3 pad: 1 group: 8 bias_term: false } }"
    + 'layer { name: "bn" type: "BatchNorm" bottom: "dw" top: "dw" param { lr_mult: 0 } }'
    + 'layer { name: "sc" type: "Scale" bottom: "dw" top: "dw" scale_param { bias_term: true } }'
    + 'layer { name: "norm" type: "Normalize" bottom: "dw" top: "norm" norm_param { across_spatial: false '
    + 'scale_filler { type: "constant" value: 20 } channel_shared: false } }'
    + conv("c2", "dw", 12, more="pad: 1 stride: 2")
    + head(1, "norm", "min_size: 8 max_size: 14 aspect_ratio: 2", 4)
    + head(2, "c2", "min_size: 14 max_size: 24 aspect_ratio: 2 aspect_ratio: 3", 6)
    + join("loc", "_flat", 1)
    + join("conf", "_flat", 1)
    + join("prior", "", 2)
    + """
    layer { name: "tame" type: "Power" bottom: "conf" top: "conf" power_param { scale: 0.05 } }
    layer { name: "conf_reshape" type: "Reshape" bottom: "conf" top: "conf_reshape"
      reshape_param { shape { dim: 0 dim: -1 dim: 3 } } }
    layer { name: "conf_softmax" type: "Softmax" bottom: "conf_reshape" top: "conf_softmax"
      softmax_param { axis: 2 } }
    layer { name: "conf_final" type: "Flatten" bottom: "conf_softmax" top: "conf_final" flatten_param { axis: 1 } }
    layer { name: "out" type: "DetectionOutput" bottom: "loc" bottom: "conf_final" bottom: "prior" top: "out"
      include { phase: TEST } detection_output_param { num_classes: 3 share_location: true background_label_id: 0
      nms_param { nms_threshold: 0.45 top_k: 100 } code_type: CENTER_SIZE keep_top_k: 20 confidence_threshold: 0.35 } }
    """
)
FCN = (
    'layer { name: "data" type: "Input" top: "data" input_param { shape: { dim: 1 dim: 3 dim: 20 dim: 24 } } }'
    + conv("c1", "data", 6, more="pad: 10")
    + 'layer { name: "p1" type: "Pooling" bottom: "c1" top: "p1" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }'
    + conv("c2", "p1", 8, more="pad: 1")
    + 'layer { name: "p2" type: "Pooling" bottom: "c2" top: "p2" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }'
    + """
    layer { name: "score" type: "Convolution" bottom: "p2" top: "score"
      convolution_param { num_output: 5 kernel_size: 4 } }
    layer { name: "up2" type: "Deconvolution" bottom: "score" top: "up2"
      convolution_param { num_output: 5 bias_term: false kernel_size: 4 stride: 2 } }
    layer { name: "score1" type: "Convolution" bottom: "p1" top: "score1"
      convolution_param { num_output: 5 kernel_size: 1 } }
    layer { name: "score1c" type: "Crop" bottom: "score1" bottom: "up2" top: "score1c"
      crop_param { axis: 2 offset: 1 } }
    layer { name: "fuse" type: "Eltwise" bottom: "up2" bottom: "score1c" top: "fuse"
      eltwise_param { operation: SUM } }
    layer { name: "up1" type: "Deconvolution" bottom: "fuse" top: "up1"
      convolution_param { num_output: 5 group: 5 bias_term: false kernel_size: 4 stride: 2 } }
    layer { name: "final" type: "Crop" bottom: "up1" bottom: "data" top: "final" crop_param { axis: 2 offset: 5 } }
    """
)
SEGNET = (
    'input: "data" input_dim: 1 input_dim: 3 input_dim: 18 input_dim: 22\n'
    + conv("c1", "data", 6, more="pad: 1")
    + 'layer { name: "c1_bn" type: "BN" bottom: "c1" top: "c1" bn_param { bn_mode: INFERENCE '
    + 'scale_filler { type: "constant" value: 1 } shift_filler { type: "constant" value: 0.001 } } }'
    + 'layer { name: "p1" type: "Pooling" bottom: "c1" top: "p1" top: "p1_mask" '
    + "pooling_param { kernel_size: 2 stride: 2 } }"
    + conv("c2", "p1", 6, more="pad: 1")
    + 'layer { name: "u1" type: "Upsample" bottom: "c2" bottom: "p1_mask" top: "u1" upsample_param { scale: 2 } }'
    + conv("c3", "u1", 4, more="pad: 1")
    + 'layer { name: "argmax" type: "ArgMax" bottom: "c3" top: "argmax" argmax_param { axis: 1 } }'
)
CAPTIONS = """
input: "cont" input_shape { dim: 4 dim: 2 } input: "words" input_shape { dim: 4 dim: 2 }
input: "image" input_shape { dim: 2 dim: 6 }
layer { name: "embedding" type: "Embed" bottom: "words" top: "embedded"
  embed_param { bias_term: false input_dim: 3 num_output: 5 } }
layer { name: "lstm1" type: "LSTM" bottom: "embedded" bottom: "cont" bottom: "image" top: "lstm1"
  recurrent_param { num_output: 7 weight_filler { type: "uniform" min: -0.08 max: 0.08 } } }
layer { name: "lstm2" type: "LSTM" bottom: "lstm1" bottom: "cont" top: "lstm2" recurrent_param { num_output: 6 } }
layer { name: "predict" type: "InnerProduct" bottom: "lstm2" top: "predict"
      inner_product_param { num_output: 9 axis: 2 } }
layer { name: "probs" type: "Softmax" bottom: "predict" top: "probs" softmax_param { axis: 2 } }
"""
SQUEEZE = (
    'input: "data" input_dim: 10 input_dim: 3 input_dim: 16 input_dim: 16\n'
    + conv("c1", "data", 8, more="pad: 1 stride: 2 bias_term: true")
    + """
    layer { name: "gap" type: "Pooling" bottom: "c1" top: "gap" pooling_param { pool: AVE global_pooling: true } }
    layer { name: "down" type: "Convolution" bottom: "gap" top: "down"
      convolution_param { num_output: 2 kernel_size: 1 } }
    layer { name: "relu" type: "ReLU" bottom: "down" top: "down" }
    layer { name: "up" type: "Convolution" bottom: "down" top: "up"
      convolution_param { num_output: 8 kernel_size: 1 } }
    layer { name: "prob" type: "Sigmoid" bottom: "up" top: "prob" }
    layer { name: "mul" type: "Scale" bottom: "c1" bottom: "prob_flat" top: "mul" scale_param { axis: 0 } }
    """.replace(
        'layer { name: "mul"',
        'layer { name: "flat" type: "Flatten" bottom: "prob" top: "prob_flat" }\n    layer { name: "mul"',
    )
    + """
    layer { name: "add" type: "Eltwise" bottom: "mul" bottom: "c1" top: "add" }
    layer { name: "shuffle" type: "ShuffleChannel" bottom: "add" top: "shuffle" shuffle_channel_param { group: 4 } }
    layer { name: "drop" type: "Dropout" bottom: "shuffle" top: "shuffle" }
    layer { name: "fc" type: "InnerProduct" bottom: "shuffle" top: "fc" inner_product_param { num_output: 4 } }
    layer { name: "max" type: "Slice" bottom: "fc" top: "fc_a" top: "fc_b" slice_param { axis: 1 } }
    layer { name: "mfm" type: "Eltwise" bottom: "fc_a" bottom: "fc_b" top: "mfm" eltwise_param { operation: MAX } }
    """
)
NETS = {"ssd": SSD, "fcn": FCN, "segnet": SEGNET, "captions": CAPTIONS, "squeeze and excitation": SQUEEZE}


def weighted(caffe: Any, prototxt: str) -> Path:
    """The net with random weights in the shapes that it asks for."""
    source = caffe.source(prototxt, {})
    out, names = caffe.work(
        Call("core", RANDOM, "make", {"entry": caffe.entry}, libraries=(KIT, CaffeFrontend.room)),
        {"source": source},
    )
    found: dict[str, dict[int, Any]] = {}
    for number, (layer, index) in names.items():
        found.setdefault(layer, {})[index] = np.load(out / f"{number}.npy")
    blobs = {layer: [arrays[index] for index in sorted(arrays)] for layer, arrays in found.items()}
    return Path(caffe.source(prototxt, blobs))


@pytest.mark.parametrize("name", NETS)
def test_net(caffe: Any, name: str) -> None:
    random = np.random.default_rng(3)
    feeds = {}
    if name == "captions":
        feeds = {
            "words": random.integers(0, 3, [2, 4, 2]).astype(np.float32),
            "cont": np.float32([[[0, 0], [1, 1], [1, 0], [1, 1]]] * 2),
        }
    ran = caffe.run(weighted(caffe, NETS[name]), feeds)
    assert ran.kind == ("own" if name in ("segnet", "captions") else "independent"), ran.note
    assert ran.difference() < 1e-5
    assert ran.to_interpreter() < 1e-5
    free = ran.contract["inputs"][0]["shape"][0] == "N"
    assert free == (name not in ("ssd", "captions"))
    if name == "ssd":
        assert (ran.outputs["out"][..., 1] > 0).any()


@pytest.mark.slow
def test_googlenet(caffe: Any, shared: Path) -> None:
    ran = caffe.run(weighted(caffe, (shared / "made/caffe/googlenet.prototxt").read_text()))
    assert ran.kind == "independent"
    assert ran.difference() < 1e-4

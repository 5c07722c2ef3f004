"""Makes files of Keras 2 on Theano, one layer each, with its answers. Runs in the theano toolchain.

`python keras2_models.py FOLDER`: NAME.h5 and NAME_io.npz (x, y).
"""

import os
import sys

OUT = sys.argv[1]
os.environ["THEANO_FLAGS"] = "device=cpu,floatX=float32,optimizer=None,linker=py,base_compiledir=" + OUT + "/c,cxx="
os.environ["KERAS_BACKEND"] = "theano"
os.environ["HOME"] = os.environ["KERAS_HOME"] = OUT

import numpy as np
from keras import layers as L
from keras.models import Model, Sequential

RANDOM = np.random.RandomState(3)
FIRST = {"data_format": "channels_first"}
CASES = {
    "conv": (L.Conv2D(4, 3, **FIRST), (3, 9, 8)),
    "conv_same_strides": (L.Conv2D(4, 3, strides=2, padding="same", **FIRST), (3, 9, 8)),
    "conv_same_even": (L.Conv2D(4, (2, 4), padding="same", **FIRST), (3, 9, 8)),
    "conv_dilated": (L.Conv2D(4, 3, dilation_rate=2, padding="same", **FIRST), (3, 9, 8)),
    "conv_last": (L.Conv2D(4, (3, 2), strides=(1, 2), padding="same", data_format="channels_last"), (9, 8, 3)),
    "transposed": (L.Conv2DTranspose(4, 3, strides=2, **FIRST), (3, 5, 4)),
    "transposed_same": (L.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu", **FIRST), (3, 5, 4)),
    "depthwise": (L.DepthwiseConv2D(3, padding="same", strides=2, **FIRST), (3, 9, 8)),
    "separable": (L.SeparableConv2D(4, 3, **FIRST), (3, 9, 8)),
    "conv1d": (L.Conv1D(4, 3, padding="same", strides=2), (9, 3)),
    "causal": (L.Conv1D(4, 3, padding="causal"), (9, 3)),
    "conv3d": (L.Conv3D(3, 3, padding="same", strides=2, **FIRST), (2, 5, 6, 4)),
    "max": (L.MaxPooling2D(2, padding="same", **FIRST), (3, 9, 8)),
    "max_3": (L.MaxPooling2D(3, strides=2, padding="same", **FIRST), (3, 9, 8)),
    "average": (L.AveragePooling2D(3, strides=2, padding="same", **FIRST), (3, 9, 8)),
    "max1d": (L.MaxPooling1D(2, padding="same"), (9, 3)),
    "flatten": (L.Flatten(**FIRST), (3, 4, 5)),
    "norm": (L.BatchNormalization(axis=1), (3, 4, 5)),
    "lstm": (L.LSTM(3, recurrent_activation="hard_sigmoid"), (5, 4)),
    "gru": (L.GRU(3, return_sequences=True), (5, 4)),
    "distributed": (L.TimeDistributed(L.Conv2D(2, 3, **FIRST)), (3, 2, 5, 4)),
}
for name, (layer, shape) in CASES.items():
    x = L.Input(shape)
    model = Model(x, layer(x))
    found = [RANDOM.uniform(-0.6, 0.6, each.shape) for each in model.get_weights()]
    if name == "norm":
        found[3] = np.abs(found[3]) + 0.3
    model.set_weights(found)
    x = RANDOM.randn(2, *shape).astype("float32")
    np.savez(os.path.join(OUT, name + "_io.npz"), x=x, y=model.predict(x))
    model.save(os.path.join(OUT, name + ".h5"))
unshaped = Sequential([L.InputLayer((4,)), L.Dense(3)])  # whose shape Keras 2.3 forgets to write
x = RANDOM.randn(2, 4).astype("float32")
np.savez(OUT + "/unshaped_io.npz", x=x, y=unshaped.predict(x))
unshaped.save(OUT + "/unshaped.h5")

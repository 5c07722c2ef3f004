"""Makes models that hold every layer of one kind of input, one output each. Runs in the keras toolchain.

`python layers.py FOLDER`: for Keras 3 NAME_3.keras, for tf_keras NAME_2.h5; and odd files for refusals.
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf
import tf_keras

OUT = Path(sys.argv[1])
RANDOM = np.random.default_rng(5)
FIRST = {"data_format": "channels_first"}


def pictures(L, **form):
    return {
        "conv": L.Conv2D(4, 3, strides=2, padding="same", activation="relu", **form),
        "conv_dilated": L.Conv2D(4, 3, dilation_rate=2, use_bias=False, **form),
        "conv_groups": L.Conv2D(4, 3, groups=2, **form),
        "depthwise": L.DepthwiseConv2D(3, depth_multiplier=2, padding="same", **form),
        "separable": L.SeparableConv2D(5, 3, **form),
        "transposed": L.Conv2DTranspose(3, 3, strides=2, padding="same", **form),
        "max": L.MaxPooling2D(3, strides=2, padding="same", **form),
        "average": L.AveragePooling2D(3, strides=2, padding="same", **form),
        "global_max": L.GlobalMaxPooling2D(**form),
        "global_average": L.GlobalAveragePooling2D(keepdims=True, **form),
        "up": L.UpSampling2D(2, **form),
        "up_bilinear": L.UpSampling2D(2, interpolation="bilinear", **form),
        "pad": L.ZeroPadding2D(((1, 0), (2, 1)), **form),
        "crop": L.Cropping2D(((1, 0), (2, 1)), **form),
        "norm": L.BatchNormalization(axis=1 if form else -1),
        "layer_norm": L.LayerNormalization(axis=[1, 2, 3]),
        "group_norm": L.GroupNormalization(2, axis=1 if form else -1),
        "prelu": L.PReLU(shared_axes=[2, 3] if form else [1, 2]),
        "dropout": L.SpatialDropout2D(0.3),
        "flatten": L.Flatten(**form),
    }


def zoo(K):
    """Of keras.applications, in no public module."""
    convnext = K.src.applications.convnext
    return {"scaled": convnext.LayerScale(0.3, 6), "depth": convnext.StochasticDepth(0.2)}


def sequences(L):
    return {
        "conv": L.Conv1D(4, 3, padding="causal", dilation_rate=2),
        "conv_same": L.Conv1D(4, 3, strides=2, padding="same"),
        "transposed": L.Conv1DTranspose(4, 3, strides=2),
        "separable": L.SeparableConv1D(4, 3),
        "max": L.MaxPooling1D(2),
        "average": L.AveragePooling1D(2, padding="same"),
        "global": L.GlobalAveragePooling1D(),
        "up": L.UpSampling1D(2),
        "pad": L.ZeroPadding1D((1, 2)),
        "crop": L.Cropping1D((1, 2)),
        "lstm": L.LSTM(3, return_sequences=True),
        "lstm_last": L.LSTM(3, recurrent_activation="hard_sigmoid", go_backwards=True),
        "gru": L.GRU(3),
        "gru_before": L.GRU(3, reset_after=False, return_sequences=True),
        "rnn": L.SimpleRNN(3, unroll=True),
        "stateful": L.Bidirectional(L.LSTM(2, return_sequences=True), merge_mode="sum"),
        "cells": L.RNN([L.LSTMCell(3), L.GRUCell(2)]),
        "distributed": L.TimeDistributed(L.Dense(3, activation="elu")),
        "permute": L.Permute((2, 1)),
        "reshape": L.Reshape((-1, 2)),
        "einsum": L.EinsumDense("btf,fg->btg", output_shape=(None, 4)),
        "norm": L.UnitNormalization(),
    }


def vectors(L):
    made = {
        "dense": L.Dense(4, activation="softmax"),
        "repeat": L.RepeatVector(3),
        "leaky": L.LeakyReLU(0.2),
        "elu": L.ELU(0.5),
        "relu": L.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2),
        "softmax": L.Softmax(),
        "noise": L.GaussianNoise(0.4),
        "alpha": L.AlphaDropout(0.4),
        "rescaling": L.Rescaling(0.5, 1.0),
        "normalization": L.Normalization(mean=[1.0] * 6, variance=[2.0] * 6),
    }
    names = ("relu", "sigmoid", "tanh", "softplus", "softsign", "selu", "exponential", "hard_sigmoid", "swish", "gelu")
    return made | {f"activation_{name}": L.Activation(name) for name in names}


def volumes(L):
    return {
        "conv": L.Conv3D(3, 2, strides=2, padding="same"),
        "transposed": L.Conv3DTranspose(2, 2),
        "max": L.MaxPooling3D(2),
        "average": L.AveragePooling3D(2),
        "global": L.GlobalMaxPooling3D(),
        "pad": L.ZeroPadding3D(1),
        "up": L.UpSampling3D(2),
    }


def finish(model):
    """Random weights, of which variances are positive."""
    for layer in model.layers:
        found = [RANDOM.uniform(-0.5, 0.5, weight.shape) for weight in layer.get_weights()]
        if type(layer).__name__ == "BatchNormalization":
            found[3] = np.abs(found[3]) + 0.3
        if type(layer).__name__ not in ("Normalization", "GaussianNoise"):
            dropped = len(layer.get_weights())
            layer.set_weights(found[:dropped])
    return model


def write(K, name, layers, shape):
    x = K.Input(shape, name="x")
    outputs = []
    for label, layer in layers.items():
        layer._name = label
        outputs.append(layer(x))
    save(K, name, finish(K.Model(x, outputs)))


def save(K, name, model):
    model.save(OUT / (f"{name}_3.keras" if K is keras else f"{name}_2.h5"))


def merges(K):
    L = K.layers
    a, b = K.Input((4, 3), name="a"), K.Input((4, 3), name="b")
    made = [layer([a, b]) for layer in (L.Add(), L.Subtract(), L.Multiply(), L.Average(), L.Maximum(), L.Minimum())]
    made += [L.Concatenate(axis=1)([a, b]), L.Dot(axes=2)([a, b]), L.Dot(axes=(1, 1), normalize=True)([a, b])]
    made += [L.Attention()([a, b]), L.AdditiveAttention()([a, b]), L.MultiHeadAttention(2, 3)(a, b)]
    made.append(K.src.applications.inception_resnet_v2.CustomScaleLayer(0.5)([a, b]))
    save(K, "merges", finish(K.Model([a, b], made)))


def nested(K):
    """A model in a model, a layer used twice, an embedding with a mask."""
    L = K.layers
    words = K.Input((5,), dtype="int32", name="words")
    inner = K.Sequential([L.Dense(4, activation="tanh"), L.BatchNormalization()], name="inner")
    embedded = L.Embedding(7, 4, mask_zero=True)(words)
    twice = L.LSTM(4)(inner(inner(embedded)))
    save(K, "nested", K.Model({"words": words}, {"first": twice, "second": L.Dense(2, name="second")(twice)}))


for K in (keras, tf_keras):
    write(K, "pictures", pictures(K.layers), (9, 8, 4))
    write(K, "first", pictures(K.layers, **FIRST), (4, 9, 8))
    write(K, "sequences", sequences(K.layers), (9, 4))
    write(K, "vectors", vectors(K.layers) | zoo(K), (6,))
    write(K, "volumes", volumes(K.layers), (4, 5, 6, 2))
    merges(K)
    nested(K)


@keras.saving.register_keras_serializable(package="Own")
class Doubled(keras.layers.Layer):
    def call(self, x):
        return x * 2


keras.Sequential([keras.Input((3,)), Doubled(name="mine")]).save(OUT / "custom.keras")
keras.Sequential(
    [keras.Input((1,), dtype="string"), keras.layers.StringLookup(vocabulary=["a", "b"], name="words")]
).save(OUT / "lookup.keras")
x = keras.Input((4,))
wrapped = keras.layers.TimeDistributed(keras.layers.Lambda(lambda v: v), name="deep")(keras.layers.Reshape((2, 2))(x))
keras.Model(x, wrapped).save(OUT / "deep.keras")
lgamma = tf_keras.Input((3,))
tf_keras.Model(lgamma, tf.math.lgamma(lgamma)).save(OUT / "operator.h5")
x = keras.Input((4, 3))
calculated = keras.ops.mean(keras.layers.Add()([x, x + 3.0]) * keras.layers.Dense(3)(x), axis=1, keepdims=True)
keras.Model(x, calculated[:, 0] / 2.0).save(OUT / "operators_3.h5")

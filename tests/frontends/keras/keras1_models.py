"""Makes small files of Keras 1 with its answers. Runs in the keras1 toolchain: `python keras1_models.py FOLDER`.

Each is NAME.h5 (architecture and weights) and NAME_io.npz (x, or x0 and x1; y). On Theano, random weights.
"""

import os
import sys

OUT = sys.argv[1]
os.environ["THEANO_FLAGS"] = "device=cpu,floatX=float32,optimizer=None,base_compiledir=" + OUT + "/compiled,cxx="
os.environ["KERAS_BACKEND"] = "theano"
os.environ["HOME"] = OUT

import numpy as np
import theano.ifelse  # Keras 1 forgets to
from keras import layers as L
from keras.models import Model, Sequential

RANDOM = np.random.RandomState(3)


def write(name, model, *shapes, **options):
    feeds = []
    for shape in shapes:
        whole = RANDOM.randint(0, 6, (2,) + shape)
        feeds.append((whole if options.get("whole") else RANDOM.randn(2, *shape)).astype("float32"))
    for layer in model.layers:
        found = [RANDOM.uniform(-0.6, 0.6, each.shape) for each in layer.get_weights()]
        if "BatchNormalization" in type(layer).__name__:
            found[3] = np.abs(found[3]) + 0.3
        layer.set_weights(found)
    answer = model.predict(feeds if len(feeds) > 1 else feeds[0])
    model.save(os.path.join(OUT, name + ".h5"))
    named = {"x" if len(feeds) == 1 else "x%d" % number: each for number, each in enumerate(feeds)}
    np.savez(os.path.join(OUT, name + "_io.npz"), y=answer, **named)


def chain(name, *layers, **options):
    model = Sequential()
    for layer in layers:
        model.add(layer)
    write(name, model, layers[0].batch_input_shape[1:], **options)


TH = {"dim_ordering": "th"}
PICTURE = {"input_shape": (3, 9, 8)}
chain(
    "cnn",
    L.Convolution2D(4, 3, 3, activation="relu", border_mode="same", subsample=(2, 2), dim_ordering="th", **PICTURE),
    L.ZeroPadding2D((1, 2), **TH),
    L.BatchNormalization(axis=1),
    L.MaxPooling2D((2, 2), border_mode="same", **TH),
    L.Dropout(0.3),
    L.Convolution2D(5, 2, 2, border_mode="same", bias=False, **TH),
    L.LeakyReLU(0.1),
    L.AveragePooling2D((3, 3), strides=(1, 1), border_mode="same", **TH),
    L.Flatten(),
    L.Dense(6, activation="softmax"),
)
chain("atrous", L.AtrousConvolution2D(4, 3, 3, atrous_rate=(2, 2), dim_ordering="th", **PICTURE))
chain(
    "deconvolution",
    L.Deconvolution2D(4, 3, 3, output_shape=(None, 4, 19, 17), subsample=(2, 2), dim_ordering="th", **PICTURE),
)
chain("conv1d", L.Convolution1D(4, 3, border_mode="same", input_shape=(9, 5)), L.GlobalMaxPooling1D())
chain("volume", L.Convolution3D(3, 2, 3, 2, dim_ordering="th", input_shape=(2, 5, 6, 5)), L.MaxPooling3D(**TH))
chain(
    "lstm",
    L.Embedding(6, 4, input_length=5),
    L.LSTM(7, return_sequences=True),
    L.GRU(6, return_sequences=True, inner_activation="sigmoid"),
    L.TimeDistributed(L.Dense(4)),
    L.Bidirectional(L.LSTM(3)),
    L.Dense(2),
    whole=True,
)
chain("dense", L.TimeDistributedDense(3, input_shape=(4, 5)), L.SimpleRNN(4), L.Highway(activation="tanh"))
chain("rare", L.MaxoutDense(5, nb_feature=3, input_dim=6), L.SReLU(), L.ParametricSoftplus(), L.PReLU())
chain("samples", L.BatchNormalization(mode=1, input_shape=(6,)), L.ELU(0.7), L.ThresholdedReLU(0.2))

left, right = Sequential(), Sequential()
left.add(L.Dense(4, input_dim=3, activation="tanh"))
right.add(L.Dense(5, input_dim=2))
right.add(L.Dense(4))
joined = Sequential()
joined.add(L.Merge([left, right], mode="concat"))
joined.add(L.Dense(3))
for each in (left, right):
    for layer in each.layers:
        layer.set_weights([RANDOM.uniform(-1, 1, w.shape) for w in layer.get_weights()])
feeds = [RANDOM.randn(2, 3).astype("float32"), RANDOM.randn(2, 2).astype("float32")]
joined.save(OUT + "/merged.h5")
np.savez(OUT + "/merged_io.npz", x0=feeds[0], x1=feeds[1], y=joined.predict(feeds))

a, b = L.Input((4,), name="a"), L.Input((4,), name="b")
for mode in ("sum", "mul", "ave", "max", "dot", "concat"):
    write("merge_" + mode, Model([a, b], L.merge([L.Dense(3)(a), L.Dense(3)(b)], mode=mode)), (4,), (4,))
write("merge_cos", Model([a, b], L.merge([L.Dense(3)(a), L.Dense(3)(b)], mode="cos")), (4,), (4,))
chain("mode2", L.BatchNormalization(mode=2, input_shape=(6,)))
chain("lambda", L.Lambda(lambda x: x * 2, input_shape=(6,)))

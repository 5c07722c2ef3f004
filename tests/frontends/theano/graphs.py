"""Makes pickled Theano graphs, one operator each. Runs in the theano toolchain: `python graphs.py FOLDER`."""

import os
import pickle
import sys

OUT = sys.argv[1]
os.environ["THEANO_FLAGS"] = (
    "device=cpu,floatX=float32,linker=py,optimizer=None,base_compiledir=" + OUT + "/compiled,cxx="
)
os.environ["HOME"] = OUT

import numpy as np
import theano
import theano.tensor as T
from theano.tensor.signal import pool

RANDOM = np.random.RandomState(2)


def weights(*shape):
    return theano.shared(RANDOM.uniform(-0.5, 0.5, shape).astype("float32"), name="w")


def write(name, build, *inputs):
    with open(os.path.join(OUT, name + ".pkl"), "wb") as file:
        pickle.dump((list(inputs), [build(*inputs)]), file, 2)


ELEMENTWISE = {
    "neg": lambda x: -x,
    "power": lambda x: T.sqr(x) ** 1.5 + 2,
    "exp": lambda x: T.exp(x) - T.expm1(x) + T.log1p(T.abs_(x)),
    "log": lambda x: T.log(abs(x) + 1) / T.log2(abs(x) + 2),
    "sqrt": lambda x: T.sqrt(abs(x)),
    "sigmoid": lambda x: T.nnet.sigmoid(x) + T.nnet.softplus(x),
    "hard": lambda x: T.nnet.hard_sigmoid(x),
    "tanh": lambda x: T.tanh(x) + T.sin(x) * T.cos(x),
    "relu": lambda x: T.nnet.relu(x, 0.1),
    "elu": lambda x: T.nnet.elu(x) + T.nnet.selu(x),
    "clip": lambda x: T.clip(x, -0.5, 0.5),
    "extremes": lambda x: T.maximum(x, 0.1) + T.minimum(x, 0.3),
    "switch": lambda x: T.switch(T.and_(x > 0, x <= 1), x, T.neq(x, 3) * 2.0),
    "erf": lambda x: T.erf(x) - 2 * T.erfc(x),
    "round": lambda x: T.floor(x) + T.ceil(x) + T.sgn(x),
    "cast": lambda x: T.cast(x * 10, "int32") // 3 + T.cast(x, "int32") % 2,
    "broadcast": lambda x: x + weights(4) * T.addbroadcast(weights(3, 1), 1),
}
MATRIX = {
    "dot": lambda x: T.dot(x, weights(4, 5)) + weights(5),
    "softmax": lambda x: T.nnet.softmax(T.dot(x, weights(4, 5))),
    "logsoftmax": lambda x: T.nnet.logsoftmax(x),
    "transpose": lambda x: x.T.dimshuffle(1, "x", 0),
    "sum": lambda x: x.sum(axis=0),
    "mean": lambda x: x.mean(axis=1, keepdims=True),
    "prod": lambda x: x.prod(axis=1),
    "max": lambda x: x.max(axis=1) + x.min(axis=1),
    "argmax": lambda x: x.argmax(axis=1),
    "norm": lambda x: x / T.sqrt(T.sum(x**2, axis=1, keepdims=True)),
    "var": lambda x: x.var(axis=1),
    "reshape": lambda x: x.reshape((x.shape[0], 2, 2)),
    "flatten": lambda x: x.dimshuffle(0, 1, "x").flatten(2),
    "slices": lambda x: x[:, 1:3],
    "pick": lambda x: x[:, 2],
    "reversed": lambda x: x[::-1, ::2],
    "join": lambda x: T.concatenate([x, x * 2], axis=1),
    "stack": lambda x: T.stack([x, x + 1], axis=1),
    "alloc": lambda x: T.alloc(np.float32(2), x.shape[0], 3),
    "zeros": lambda x: T.zeros_like(x) + T.ones_like(x),
    "norm_test": lambda x: T.nnet.bn.batch_normalization_test(
        x, *[each.dimshuffle("x", 0) for each in (weights(4), weights(4), weights(4), abs(weights(4)))], axes=(0,)
    ),
}
PICTURE = {
    "conv": lambda x: T.nnet.conv2d(x, weights(5, 3, 3, 3), subsample=(2, 1)),
    "conv_half": lambda x: T.nnet.conv2d(x, weights(5, 3, 3, 2), border_mode="half"),
    "conv_full": lambda x: T.nnet.conv2d(x, weights(5, 3, 3, 3), border_mode="full", filter_flip=False),
    "conv_pads": lambda x: T.nnet.conv2d(x, weights(5, 3, 3, 3), border_mode=(1, 2), filter_dilation=(2, 1)),
    "conv_groups": lambda x: T.nnet.conv2d(x, weights(6, 1, 3, 3), num_groups=3),
    "conv_transposed": lambda x: T.nnet.conv2d_transpose(
        x, weights(3, 5, 3, 3), (None, 5, 16, 14), border_mode="half", input_dilation=(2, 2)
    ),
    "pool": lambda x: pool.pool_2d(x, (2, 2), ignore_border=True),
    "pool_pad": lambda x: pool.pool_2d(x, (3, 3), stride=(2, 2), pad=(1, 1), ignore_border=True),
    "pool_border": lambda x: pool.pool_2d(x, (3, 3), stride=(2, 2), ignore_border=False),
    "pool_average": lambda x: pool.pool_2d(x, (2, 3), pad=(1, 1), ignore_border=True, mode="average_exc_pad"),
    "pool_average_inc": lambda x: pool.pool_2d(x, (2, 3), pad=(1, 1), ignore_border=True, mode="average_inc_pad"),
    "global": lambda x: x.mean(axis=(2, 3)),
}
for name, build in ELEMENTWISE.items():
    write(name, build, T.TensorType("float32", (False, False))("x"))
for name, build in MATRIX.items():
    write(name, build, T.fmatrix("x"))
for name, build in PICTURE.items():
    write(name, build, T.ftensor4("x"))
write("embedding", lambda x: weights(6, 4)[x.flatten()], T.imatrix("x"))
write(
    "scan",
    lambda x: theano.scan(lambda row, state: T.tanh(row + state), x, T.zeros((4,), "float32"))[0],
    T.fmatrix("x"),
)
write("assign", lambda x: T.set_subtensor(x[0], np.float32(1)), T.fmatrix("x"))
with open(OUT + "/alone.pkl", "wb") as file:
    x = T.fmatrix("rows")
    pickle.dump(T.dot(x, weights(4, 2)), file, 2)

"""Nets whose symbols do not say what they are fed. Run by the mxnet toolchain: nets.py OUT."""

import sys
from pathlib import Path

import mxnet as mx
from mxnet import gluon, sym
from mxnet.gluon import nn

OUT = Path(sys.argv[1])


class UNet(gluon.HybridBlock):
    def __init__(self):
        super().__init__(prefix="unet_")
        with self.name_scope():
            self.down, self.pool, self.deep = nn.Conv2D(8, 3, padding=1), nn.MaxPool2D(), nn.Conv2D(16, 3, padding=1)
            self.up, self.last, self.norm = nn.Conv2DTranspose(8, 2, strides=2), nn.Conv2D(2, 1), nn.BatchNorm()

    def hybrid_forward(self, F, x):  # noqa: N803  as Gluon calls it
        skip = F.relu(self.norm(self.down(x)))
        return F.softmax(self.last(F.concat(self.up(F.relu(self.deep(self.pool(skip)))), skip, dim=1)), axis=1)


class Attention(gluon.HybridBlock):
    def __init__(self):
        super().__init__(prefix="attention_")
        with self.name_scope():
            self.words, self.three = nn.Embedding(40, 16), nn.Dense(48, flatten=False)
            self.one, self.norm, self.last = nn.Dense(16, flatten=False), nn.LayerNorm(), nn.Dense(3)

    def hybrid_forward(self, F, x):  # noqa: N803
        state = F.transpose(self.words(x), axes=(1, 0, 2))
        three = self.three(state)
        weights = F.softmax(F.contrib.interleaved_matmul_selfatt_qk(three, heads=4))
        seen = F.contrib.interleaved_matmul_selfatt_valatt(three, weights, heads=4)
        return self.last(F.mean(self.norm(state + self.one(seen)), axis=0))


def export(name, net, *shape):
    net.initialize(mx.init.Uniform(0.5))
    net.hybridize()
    net(mx.nd.zeros(shape))
    net.export(str(OUT / name))


def checkpoint(name, net, *shape):
    names, (shapes, _, _) = net.list_arguments(), net.infer_shape(data=shape)
    weights = {key: mx.nd.random.uniform(-0.5, 0.5, shape=size) for key, size in zip(names, shapes)}
    kept = {key: value for key, value in weights.items() if key not in ("data", "softmax_label")}
    mx.model.save_checkpoint(str(OUT / name), 0, net, kept, {})


mx.random.seed(2)
data = sym.Variable("data")
export("unet", UNet(), 1, 3, 32, 32)
export("attention", Attention(), 2, 5)
hidden = sym.Activation(sym.FullyConnected(sym.Flatten(data), num_hidden=16), act_type="relu")
checkpoint("mlp", sym.SoftmaxOutput(sym.FullyConnected(hidden, num_hidden=4), name="softmax"), 2, 1, 28, 28)
cells = mx.rnn.SequentialRNNCell()
cells.add(mx.rnn.LSTMCell(8, prefix="l0_"))
cells.add(mx.rnn.LSTMCell(8, prefix="l1_"))
words = sym.Embedding(data, input_dim=30, output_dim=8)
outputs, _ = cells.unroll(6, inputs=words, merge_outputs=True, layout="NTC")
flat = sym.FullyConnected(sym.Reshape(outputs, shape=(-1, 8)), num_hidden=30)
checkpoint("unrolled", sym.SoftmaxOutput(flat, name="softmax"), 2, 6)
batch = sym.Reshape(sym.Convolution(data, num_filter=4, kernel=(3, 3)), shape=(-4, 1, -1, -2))
checkpoint("batches", sym.FullyConnected(sym.Reshape(batch, shape=(-3, -2)), num_hidden=4), 2, 3, 20, 20)

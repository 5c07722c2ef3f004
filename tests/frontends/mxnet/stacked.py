"""A Gluon net of two stacked LSTM layers, as wide as their input. Run by the mxnet toolchain: stacked.py OUT."""

import sys
from pathlib import Path

import mxnet as mx
from mxnet import gluon

mx.random.seed(4)
net = gluon.nn.HybridSequential(prefix="net_")
with net.name_scope():
    net.add(gluon.nn.Embedding(20, 8), gluon.rnn.LSTM(8, num_layers=2, layout="NTC", input_size=8))
    net.add(gluon.nn.Dense(3, flatten=False))
net.initialize(mx.init.Uniform(0.7))
net.hybridize()
net(mx.nd.zeros((2, 5)))
net.export(str(Path(sys.argv[1], "stacked")))

"""Makes small TensorFlow models. Runs in the tensorflow toolchain: `python models.py FOLDER`."""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
RANDOM = np.random.default_rng(7)


def weights(*shape):
    return tf.constant(RANDOM.standard_normal(shape).astype(np.float32))


def graph(name):
    """Write what the function builds as OUT/name.pb."""

    def write(build):
        made = tf.Graph()
        with made.as_default():
            build()
        (OUT / f"{name}.pb").write_bytes(made.as_graph_def().SerializeToString())
        return build

    return write


def raw_node(made, name, op, inputs=(), **types):
    node = made.node.add(name=name, op=op, input=inputs)
    for key, value in types.items():
        node.attr[key].type = value
    return node


def write_raw(name, made):
    (OUT / f"{name}.pb").write_bytes(made.SerializeToString())


OUT = Path(sys.argv[1])
FLOAT = tf.float32.as_datatype_enum


@graph("dropout")
def dropout():
    x = tf1.placeholder(tf.float32, [None, 8], "x")
    keep = tf1.placeholder(tf.float32, [], "keep_prob")
    training = tf1.placeholder_with_default(False, [], "is_training")
    hidden = tf.nn.relu(x @ weights(8, 8))
    kept = hidden / keep * tf.floor(keep + tf1.random_uniform(tf.shape(hidden), seed=1))
    hidden = tf1.cond(training, lambda: kept * 2.0, lambda: hidden)
    tf.nn.softmax(hidden @ weights(8, 3), name="prob")
    tf1.Print(hidden, [hidden])


@graph("picture")
def picture():
    data = tf1.placeholder(tf.string, [], "contents")
    image = tf.cast(tf.io.decode_png(data, channels=3), tf.float32)
    image = tf1.image.resize_bilinear(tf.expand_dims(image, 0), [8, 8]) / 255.0
    hidden = tf.nn.conv2d(image, weights(3, 3, 3, 4), 1, "SAME")
    tf.reduce_mean(tf.nn.relu(hidden), [1, 2], name="features")


@graph("gelu")
def gelu():
    x = tf1.placeholder(tf.float32, [None, 6], "some/scope/x")
    hidden = x @ weights(6, 6)
    tf.multiply(hidden, 0.5 * tf.raw_ops.Erfc(x=-hidden * 0.7071), name="some/scope/y")


@graph("two_outputs")
def two_outputs():
    x = tf1.placeholder(tf.float64, [3, 4], "x")
    tf.nn.top_k(tf.cast(x, tf.float32), 2, name="best")
    tf.reduce_sum(x, name="total")


@graph("one_at_a_time")
def one_at_a_time():
    x = tf1.placeholder(tf.float32, [None, 4], "x")
    tf.ensure_shape(tf.reshape(x, [-1]), [4]) * 2.0


@graph("no_shape")
def no_shape():
    tf.nn.relu(tf1.placeholder(tf.float32, None, "x"), "y")


@graph("free_length")
def free_length():
    x = tf1.placeholder(tf.float32, [None, None, 4], "x")
    tf.reduce_mean(tf.nn.relu(x @ weights(4, 4)), 1, name="y")


@graph("unsupported")
def unsupported():
    x = tf1.placeholder(tf.float32, [2, 3], "x")
    tf.nn.relu(tf.raw_ops.Lgamma(x=x, name="layer/gamma"), "y")


@graph("all_preprocessing")
def all_preprocessing():
    tf.raw_ops.DecodeWav(contents=tf1.placeholder(tf.string, [], "wav"), name="decoded")


@graph("huge_input")
def huge_input():
    tf.nn.relu(tf1.placeholder(tf.float32, [100_000, 100_000, 10], "x"), "y")


@graph("huge_inside")
def huge_inside():
    x = tf1.placeholder(tf.float32, [1, 4], "x")
    tf.add(x, tf1.reduce_sum(tf.fill([1_000_000, 1_000_000], 1.0)), name="y")


@graph("unfrozen")
def unfrozen():
    v = tf1.get_variable("v", [4], use_resource=False)
    tf.add(tf1.placeholder(tf.float32, [1, 4], "x"), v, name="y")


@graph("string_out")
def string_out():
    tf.strings.as_string(tf1.placeholder(tf.float32, [2], "x"), name="y")


@graph("loop_until")
def loop_until():
    x = tf1.placeholder(tf.float32, [1, 4], "x")
    tf.identity(tf.while_loop(lambda v: tf.reduce_sum(v) < 100.0, lambda v: (v * 2.0,), (x,))[0], name="y")


@graph("loop_counted")
def loop_counted():
    x = tf1.placeholder(tf.float32, [1, 4], "x")
    tf.identity(tf.while_loop(lambda i, v: i < 9, lambda i, v: (i + 2, tf.tanh(v) + 2.0 * v), (0, x))[1], name="y")


@graph("loop_in_branch")
def loop_in_branch():
    x = tf1.placeholder(tf.float32, [1, 4], "x")

    def turn():
        return tf.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, tf.sin(v) + 2.0 * v), (0, x))[1]

    tf.identity(tf.cond(tf.reduce_sum(x) > 5.0, turn, lambda: -x), name="y")


cyclic = tf1.GraphDef()
raw_node(cyclic, "x", "Placeholder", dtype=FLOAT)
raw_node(cyclic, "a", "AddV2", ["x", "b"], T=FLOAT)
raw_node(cyclic, "b", "Relu", ["a"], T=FLOAT)
write_raw("cyclic", cyclic)

dangling = tf1.GraphDef()
raw_node(dangling, "y", "Relu", ["nowhere"], T=FLOAT)
write_raw("dangling", dangling)

code = tf1.GraphDef()
raw_node(code, "x", "Placeholder", dtype=FLOAT)
raw_node(code, "evil", "PyFunc", ["x"])
write_raw("pyfunc", code)

custom = tf1.GraphDef()
raw_node(custom, "x", "Placeholder", dtype=FLOAT)
raw_node(custom, "mine", "MyCompany>FastThing", ["x"], T=FLOAT)
write_raw("custom_op", custom)

bomb = tf1.GraphDef()
node = raw_node(bomb, "c", "Const", dtype=FLOAT)
node.attr["value"].tensor.dtype = FLOAT
for _ in range(3):
    node.attr["value"].tensor.tensor_shape.dim.add(size=100_000)
node.attr["value"].tensor.float_val.append(1.0)
raw_node(bomb, "x", "Placeholder", dtype=FLOAT)
raw_node(bomb, "y", "AddV2", ["x", "c"], T=FLOAT)
write_raw("bomb", bomb)

short = tf1.GraphDef()
node = raw_node(short, "c", "Const", dtype=FLOAT)
node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.ones(64, np.float32)))
node.attr["value"].tensor.tensor_content = node.attr["value"].tensor.tensor_content[:100]
write_raw("short_weights", short)

circle = tf1.GraphDef()
for name, called in (("f", "g"), ("g", "f")):
    function = circle.library.function.add()
    function.signature.name = name
    function.node_def.add(name="call", op=called)
raw_node(circle, "x", "Placeholder", dtype=FLOAT)
raw_node(circle, "y", "f", ["x"])
write_raw("circle", circle)

with tf.Graph().as_default(), tf1.Session() as session:
    x = tf1.placeholder(tf.float32, [None, 4], "x")
    y = tf.nn.tanh(x @ tf1.get_variable("w", initializer=weights(4, 2)), "y")
    session.run(tf1.global_variables_initializer())
    tf1.saved_model.simple_save(session, str(OUT / "saved_tf1"), {"in": x}, {"out": y})
    builder = tf1.saved_model.Builder(str(OUT / "saved_unsigned"))
    builder.add_meta_graph_and_variables(session, ["serve"])
    builder.save()


class Module(tf.Module):
    def __init__(self):
        super().__init__()
        self.w = tf.Variable(weights(8 * 8 * 3, 5))

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, "png")])
    def classify(self, png):
        image = tf.cast(tf.io.decode_png(png, 3), tf.float32)
        image = tf.image.resize(image[None], [8, 8])
        return {"scores": tf.reshape(image, [1, -1]) @ self.w / 255.0}


module = Module()
tf.saved_model.save(module, str(OUT / "saved_png"), signatures=module.classify)


def checkpoint(name, build):
    made = tf.Graph()
    with made.as_default(), tf1.Session() as session:
        build()
        session.run(tf1.global_variables_initializer())
        (OUT / name).mkdir()
        tf1.train.Saver().save(session, str(OUT / name / "net"))


def _net():
    tf1.disable_resource_variables()
    x = tf1.placeholder(tf.float32, [None, 6], "x")
    labels = tf1.placeholder(tf.int32, [None], "labels")
    keep = tf1.placeholder(tf.float32, [], "keep_prob")
    first = tf1.get_variable("first", initializer=RANDOM.standard_normal((6, 5)).astype(np.float32))
    second = tf1.get_variable("second", initializer=RANDOM.standard_normal((5, 3)).astype(np.float32))
    hidden = tf1.nn.dropout(tf.nn.relu(x @ first), keep_prob=keep)
    logits = tf.matmul(hidden, second, name="logits")
    errors = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits, name="errors")
    return logits, tf.reduce_mean(errors, name="loss")


def training():
    logits, loss = _net()
    tf.nn.softmax(logits, name="probability")
    tf1.train.AdamOptimizer().minimize(loss, name="train")
    tf1.summary.scalar("summaries/loss", loss)


checkpoint("training", training)
checkpoint("only_loss", _net)

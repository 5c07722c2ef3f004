"""Functions of the tests; also the code that --factory names."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax


def weights(*shape, seed=0):
    return jnp.asarray(np.random.default_rng([seed, *shape]).standard_normal(shape) * 0.3, jnp.float32)


class Cnn(nnx.Module):
    """Convolutions of several kinds, batch norm, pooling."""

    def __init__(self):
        rngs = nnx.Rngs(0)
        self.first = nnx.Conv(3, 8, (3, 3), strides=2, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.depth = nnx.Conv(8, 8, (3, 3), feature_group_count=8, kernel_dilation=2, rngs=rngs)
        self.up = nnx.ConvTranspose(8, 4, (3, 3), strides=(2, 2), rngs=rngs)
        self.head = nnx.Linear(4, 5, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        x = nnx.gelu(self.norm(self.first(x)))
        x = nnx.silu(self.depth(x))
        x = nnx.avg_pool(nnx.max_pool(x, (2, 2), strides=(2, 2)), (3, 3), padding="SAME")
        x = jnp.mean(self.up(x), (1, 2))
        return nnx.softmax(self.head(self.drop(x)))


def cnn():
    return Cnn(), jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32)


def mlp(x):
    """The model itself: no factory."""
    return {"odds": jax.nn.softmax(jnp.tanh(x @ weights(6, 8)) @ weights(8, 3)), "norm": jnp.linalg.norm(x, axis=-1)}


def lstm():
    def step(carry, x):
        h, c = carry
        i, f, g, o = jnp.split(x @ weights(4, 20) + h @ weights(5, 20), 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def run(x):
        start = jnp.zeros((x.shape[0], 5))
        (h, _), all_of_them = lax.scan(step, (start, start), jnp.swapaxes(x, 0, 1))
        return h, jnp.swapaxes(all_of_them, 0, 1)

    return run, (jax.ShapeDtypeStruct((1, 7, 4), jnp.float32),)


def transformer():
    def run(ids):
        x = weights(11, 8)[ids] + weights(6, 8, seed=1)
        q, k, v = (jnp.reshape(x @ weights(8, 8, seed=n), (1, 6, 2, 4)) for n in (2, 3, 4))
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / 2.0
        scores = jnp.where(jnp.tril(jnp.ones((6, 6), bool)), scores, -1e9)
        x = x + jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores), v).reshape(1, 6, 8) @ weights(8, 8, seed=5)
        mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return jax.nn.relu((x - mean) * lax.rsqrt(var + 1e-6)) @ weights(8, 11, seed=6)

    return run, (jax.ShapeDtypeStruct((1, 6), jnp.int32),)


def broken():
    raise ValueError("no such width")


def untranslated():
    return (lambda x: jnp.fft.fft(x).real), (jax.ShapeDtypeStruct((1, 8), jnp.float32),)


# One operator or a few each: what `jax.numpy` and `lax` make programs of. Name -> (function, shapes or arrays).
SMALL = {
    "arithmetic": (lambda a, b: (a + b * 2 - a / (jnp.abs(b) + 1)) ** 2, [(2, 3), (2, 3)]),
    "functions": (
        lambda a: jnp.exp(a) + jnp.log1p(jnp.abs(a)) + jnp.expm1(a) + jnp.sin(a) * jnp.cos(a) + jnp.cbrt(jnp.sinh(a)),
        [(2, 3)],
    ),
    "special": (lambda a: lax.erf(a) + jax.nn.sigmoid(a) + lax.rsqrt(a * a + 1) + jnp.arctan(a), [(2, 3)]),
    "rounding": (lambda a: jnp.floor(a) + jnp.ceil(a) * 2 + jnp.round(a * 3) + jnp.sign(a) + lax.round(a), [(2, 9)]),
    "remainder": (lambda a: lax.rem(a, jnp.float32(0.7)) + jnp.mod(a, 0.3), [(2, 9)]),
    "integers": (lambda a: (a // 3) + (a % 4) * 2 + (a & 5) - (a ^ 3), [np.arange(-6, 6).reshape(3, 4)]),
    "comparing": (lambda a, b: jnp.where((a > b) & ~(a < 0) | (a == b), a, -b), [(3, 4), (3, 4)]),
    "clipping": (lambda a: jnp.clip(a, -0.5, 0.7) + lax.clamp(0.0, a, 1.0), [(3, 4)]),
    "broadcasting": (lambda a, b: a[:, None] * b[None] + jnp.arange(4.0) + jnp.ones((3, 4)), [(3,), (4,)]),
    "sums": (lambda a: (a.sum(0), a.max(1), a.min(), a.prod(1), a.mean((0, 1))), [(3, 4)]),
    "truth": (lambda a: (jnp.any(a > 1, 0), jnp.all(a < 1, 1)), [(3, 4)]),
    "arguments": (lambda a: (jnp.argmax(a, 1), jnp.argmin(a, 0)), [(3, 4)]),
    "running": (lambda a: (jnp.cumsum(a, 1), lax.cummax(a, 1)), [(3, 5)]),
    "moving": (lambda a: jnp.flip(a.transpose(2, 0, 1), 1)[:, ::2, 1:3].reshape(-1), [(4, 5, 6)]),
    "joining": (lambda a, b: jnp.concatenate([a, jnp.stack([b, b])], 0), [(3, 4), (4,)]),
    "padding": (lambda a: lax.pad(a, 0.5, ((1, -1, 2), (0, 2, 0))), [(4, 5)]),
    "products": (
        lambda a, b: (jnp.einsum("abc,acd->abd", a, b), jnp.tensordot(a, b, ((0, 2), (0, 1))), a[0, 0] @ b[0, :, 0]),
        [(2, 3, 4), (2, 4, 5)],
    ),
    "taking": (lambda a: a[jnp.array([2, 0, 1])] + jnp.take(a, jnp.array([1, 3, 0]), axis=0), [(4, 5)]),
    "along": (lambda a: jnp.take_along_axis(a, jnp.argsort(a, 1)[:, :2], 1), [(4, 5)]),
    "windows": (
        lambda a: lax.reduce_window(a, -jnp.inf, lax.max, (1, 3, 2), (1, 2, 1), "SAME")
        + lax.reduce_window(a, 0.0, lax.add, (1, 3, 2), (1, 2, 1), "SAME"),
        [(2, 8, 5)],
    ),
    "one-axis": (
        lambda a, b: lax.conv_general_dilated(a, b, (2,), [(1, 2)], dimension_numbers=("NCH", "OIH", "NCH")),
        [(2, 3, 9), (4, 3, 3)],
    ),
    "transposed": (lambda a, b: lax.conv_transpose(a, b, (2, 2), "SAME"), [(1, 4, 5, 3), (3, 3, 3, 2)]),
    "updating": (
        lambda a, b: lax.dynamic_update_slice(a, b, (1, 2)) + a.at[0].set(3.0).at[1].add(b[0, 0]),
        [(4, 5), (2, 2)],
    ),
    "slicing": (
        lambda a, i: lax.dynamic_slice(a, (i, 0), (2, 3)) + lax.dynamic_index_in_dim(a, i, 0)[:, :3],
        [(4, 5), np.int32(9)],
    ),
    "sorting": (lambda a: (jnp.sort(a, 1), jnp.argsort(a, 0), lax.top_k(a, 2)), [(4, 5)]),
    "choosing": (lambda a: lax.cond(a.sum() > 0, lambda b: b * 2, lambda b: b - 1, a), [(4,)]),
    "counting": (lambda a: lax.fori_loop(0, 3, lambda i, b: b * 0.5 + i, a), [(4,)]),
    "looping": (lambda a: lax.while_loop(lambda b: b.max() < 9, lambda b: b * 1.5 + 0.1, jnp.abs(a)), [(4,)]),
    "casting": (lambda a: (a * 9).astype(jnp.int32).astype(jnp.float32) + (a > 0).astype(jnp.float32), [(4,)]),
    "halves": (lambda a: (a.astype(jnp.float16) * 2).astype(jnp.float32), [(4,)]),
    "finite": (lambda a: jnp.isfinite(a / jnp.floor(jnp.abs(a))), [(3, 9)]),
}  # fmt: skip

"""Exports the functions of nets.py with JAX itself. Run by its interpreter: making.py FOLDER."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import nets
import numpy as np
from jax import export

OUT = Path(sys.argv[1])


def save(name: str, function, *structs) -> None:
    data = export.export(jax.jit(function), platforms=["cpu"])(*structs).serialize()
    (OUT / f"{name}.jax").write_bytes(bytes(data))


def struct(each):
    if isinstance(each, tuple):
        return jax.ShapeDtypeStruct(each, jnp.float32)
    return jax.ShapeDtypeStruct(np.shape(each), jnp.int32)


for name, (function, shapes) in nets.SMALL.items():
    save(f"small-{name}", function, *map(struct, shapes))
(batch,) = export.symbolic_shape("batch")
save("mlp", nets.mlp, jax.ShapeDtypeStruct((batch, 6), jnp.float32))
for name in ("cnn", "lstm", "transformer"):
    model, example = getattr(nets, name)()
    if hasattr(model, "eval"):
        model.eval()
    save(name, (lambda x, model=model: model(x)), *(example if isinstance(example, tuple) else (example,)))
save("untranslated", *(lambda pair: (pair[0], *pair[1]))(nets.untranslated()))

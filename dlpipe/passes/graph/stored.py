"""Weights that lie in a file of their own, and are read only where a pass looks at them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx_ir as ir
from dlpipe_worker import Refused


class Stored(ir.ExternalTensor):  # type: ignore[misc]  # onnx_ir is Any to the host
    """A tensor in a file below `base_dir`. Each look at it maps the file anew, and the last array that is let go of
    takes the mapping with it: a pass over all weights has one of them in memory at a time.

    (The library's own class keeps what it has mapped, and takes a file with a further hard link, as the store's have,
    for an attack. `adopt` has checked where the file lies.)
    """

    __slots__ = ()

    def _mapped(self) -> ir.ExternalTensor:
        return ir.ExternalTensor(self.path, self.offset, self.length, self.dtype, shape=self.shape, name=self.name)

    def numpy(self) -> Any:
        return self._mapped().numpy()

    def __array__(self, dtype: Any = None) -> Any:
        return self._mapped().__array__(dtype)

    def tobytes(self) -> bytes:
        return bytes(self._mapped().tobytes())

    def tofile(self, file: Any) -> None:
        """By the kernel where it can: nothing passes through this process."""
        self._mapped().tofile(file)

    def blocks(self, size: int, most: int | None = None) -> Iterator[bytes]:
        """Its bytes, or the first `most` of them, read and not mapped."""
        _, offset, left = self.place
        left = left if most is None else min(left, most)
        with Path(self.path).open("rb") as file:
            file.seek(offset)
            while left > 0 and (block := file.read(min(size, left))):
                left -= len(block)
                yield block

    @property
    def place(self) -> tuple[str, int, int]:
        """(file, offset, bytes): equal places hold equal bytes."""
        return os.fspath(self.location), self.offset or 0, self.length or self.nbytes


def adopt(model: ir.Model, folder: Path) -> None:
    """Make every external weight of a model that was loaded from `folder` a Stored one, and read external attributes.
    Raises Refused for what lies outside of the folder, or beyond the end of its file."""
    for value in weights(model):
        tensor = value.const_value
        if isinstance(tensor, ir.ExternalTensor):
            value.const_value = _adopted(tensor, folder)
    for node in model.graph.all_nodes():
        for name, attribute in list(node.attributes.items()):
            if attribute.type == ir.AttributeType.TENSOR and isinstance(attribute.value, ir.ExternalTensor):
                array = _adopted(attribute.value, folder).numpy().copy()
                node.attributes[name] = ir.AttrTensor(name, ir.Tensor(array, attribute.value.dtype))


def weights(model: ir.Model) -> Iterator[ir.Value]:
    """The initializers of the main graph and of all graphs nested in it."""
    for graph in (model.graph, *model.graph.subgraphs()):
        yield from (value for value in graph.initializers.values() if value.const_value is not None)


@contextmanager
def weights_apart(model: ir.Model, name: Callable[[Any], str] = lambda _: "apart", least: int = 0) -> Iterator[None]:
    """As long as the block lasts, each weight of `least` bytes and more is a reference to a file called `name(weight)`:
    the model can be written for a tool, or digested, without a copy of all of them."""
    tensors = [(value, value.const_value) for value in weights(model)]
    try:
        for value, tensor in tensors:
            if tensor is not None and tensor.nbytes >= least:
                value.const_value = ir.ExternalTensor(
                    name(tensor), None, None, tensor.dtype, shape=ir.Shape(tensor.shape), name=str(value.name)
                )
        yield
    finally:
        for value, tensor in tensors:
            value.const_value = tensor


def _adopted(tensor: ir.ExternalTensor, folder: Path) -> Stored:
    made = Stored(
        tensor.location,
        tensor.offset,
        tensor.length,
        tensor.dtype,
        shape=tensor.shape,
        name=tensor.name,
        doc_string=tensor.doc_string,
        metadata_props=tensor.metadata_props,
        base_dir=folder,
    )
    location, offset, length = made.place
    path = folder / location
    if Path(location).name != location or path.is_symlink() or not path.is_file():
        raise Refused(f"the weight {tensor.name!r} lies in {location!r}, which is no file beside the model")
    if offset < 0 or length < made.nbytes or offset + length > path.stat().st_size:
        raise Refused(f"the weight {tensor.name!r} lies beyond the end of {location!r}")
    return made

"""A Keras model, loaded by the Keras that it was written for, or by the one that the route names."""

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dlpipe_worker import Refused

from . import keras1, keras1_layers, keras2, keras3, reading, safety, theano_backend, weights, zoo
from .reading import Saved

MATCHED = "matched"
KERNELS = {"theano-kernels": "theano", "tensorflow-kernels": "tensorflow"}  # routes by which the user says the backend


@dataclass
class Opened:
    """`model`: a keras.Model or tf_keras.Model; `library`: the module it is of; `notes`: what was taken for granted."""

    model: Any
    library: Any
    saved: Saved
    notes: list[str]

    @property
    def tool(self) -> str:
        return f"{self.library.__name__} {self.library.__version__}"


def open_saved(folder: str, params: Mapping[str, Any], route: str = MATCHED) -> Opened:
    """params: entry, unsafe_load, inputs. Raises Refused where Keras cannot load the model, or must not."""
    logging.getLogger("absl").setLevel(logging.ERROR)
    saved = reading.read(folder, params["entry"])
    unsafe, notes = bool(params.get("unsafe_load")), list[str]()
    if route in ("tf-keras", "keras-3"):
        library = _library(2 if route == "tf-keras" else 3)
        model = _load_as_it_is(library, saved, unsafe)
    else:
        library = _library(saved.generation)
        if library.__name__ == "keras" or saved.path.suffix == ".keras":
            model = _load_as_it_is(library, saved, unsafe)
        else:
            model = _load_with_care(library, saved, params, KERNELS.get(route), notes)
    _build(model, params.get("inputs", {}))
    for layer in model._flatten_layers():  # noqa: SLF001 - there is no public way
        if getattr(layer, "stateful", False) is True and hasattr(layer, "return_sequences"):
            layer.stateful = False
            notes.append(f"the layer {layer.name} keeps its state from batch to batch: here it starts from zero")
    return Opened(model, library, saved, notes)


def _library(generation: int) -> Any:
    if generation >= 3:
        import keras

        return keras
    import tf_keras

    return tf_keras


def _load_as_it_is(library: Any, saved: Saved, unsafe: bool) -> Any:
    """By Keras alone, with nothing that is not its own."""
    custom = zoo.layer_classes(library)
    if saved.generation >= 3:
        custom |= keras3.operators(library, saved.config)
    safety.check(saved.config, [*dir(library.layers), *custom], unsafe=unsafe)
    with _errors(saved):
        if saved.is_whole:
            path = str(saved.path)
            return library.models.load_model(path, custom_objects=custom, compile=False, safe_mode=not unsafe)
        with _allowing_code(library, unsafe):
            model = library.models.model_from_json(json.dumps(saved.config), custom_objects=custom)
        model.load_weights(str(saved.weights))
        return model


def _load_with_care(
    library: Any, saved: Saved, params: Mapping[str, Any], backend: str | None, notes: list[str]
) -> Any:
    """Keras 1 and 2: the configuration translated, and what differed on Theano put right."""
    custom = {**keras2.known_functions(), **zoo.layer_classes(library)}
    config, unsafe = saved.config, bool(params.get("unsafe_load"))
    backend = backend or saved.backend
    if saved.generation == 1:
        backend = backend or _guessed(saved, notes)
        with _errors(saved):
            config = keras1.upgrade(config)
        custom |= keras1_layers.layer_classes()
    keras2.complete(config)
    safety.check(config, [*dir(library.layers), *custom], unsafe=unsafe)
    if backend == "theano":
        custom |= theano_backend.layer_classes()
    with _errors(saved):
        with _allowing_code(library, unsafe):
            model = library.models.model_from_json(json.dumps(config), custom_objects=custom)
        _build(model, params.get("inputs", {}))
        if saved.generation == 1:
            keras1.check_shapes(saved.config, model)
        weights.load(model, saved)
        if backend == "theano":
            theano_backend.turn_kernels(model)
    return model


def _guessed(saved: Saved, notes: list[str]) -> str:
    found = keras1.backend_of(saved.config)
    if found is None:
        raise Refused(
            f"{saved.path.name} was written by Keras 1, which does not say on which backend: Theano turns the kernels "
            "of convolutions round, TensorFlow does not",
            kind="unsupported",
            hint=f"say which: --route {' or --route '.join(KERNELS)}",
        )
    notes.append(f"the file does not say its backend; its ordering of dims is that of {found}")
    return found


@contextlib.contextmanager
def _allowing_code(library: Any, unsafe: bool) -> Iterator[None]:
    from importlib import import_module

    with import_module(f"{library.__name__}.src.saving.serialization_lib").SafeModeScope(not unsafe):
        yield


@contextlib.contextmanager
def _errors(saved: Saved) -> Iterator[None]:
    """Whatever Keras makes of a file that it does not take becomes a refusal with its own words."""
    try:
        yield
    except (Refused, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - there is no telling what Keras raises
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise Refused(f"Keras cannot load {saved.path.name}: {lines[0][:500]}", kind="unsupported") from None


def _build(model: Any, asked: Mapping[str, Mapping[str, Any]]) -> None:
    """A Sequential may not say what it takes; then the user does."""
    if getattr(model, "inputs", None):
        return
    shapes = [each["shape"] for each in asked.values() if each.get("shape")]
    if len(shapes) != 1:
        raise Refused(
            "the model does not say what shape its input has",
            kind="unsupported",
            hint="say it: --input x:1x28x28x1 (the dims of yours)",
        )
    shape = [dim if isinstance(dim, int) and dim >= 0 else None for dim in shapes[0]]
    try:
        model.build(tuple(shape))
        if not getattr(model, "inputs", None):
            raise ValueError("its layers are called in a way that only its code knows")
    except (ValueError, TypeError, RuntimeError, NotImplementedError) as error:
        raise Refused(f"Keras cannot build the model for the input {shape}: {error}", kind="unsupported") from None

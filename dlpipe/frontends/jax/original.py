"""The original in JAX itself, on the CPU: its answers, and what its operators give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from dlpipe_worker import Refused, Request

from ..kit import executing
from .program import Program, open_program


def open_model(request: Request, contract: Mapping[str, Any], threads: int | None) -> executing.Model:
    """threads: XLA takes those of the process; one is asked for in the worker's environment."""
    del threads
    given = {port["source"]: {"shape": port["shape"], "dtype": port["dtype"]} for port in contract["inputs"]}
    return Original(open_program(request.inputs["source"], {**request.params, "inputs": given}))


_CALLS = ("jit", "pjit", "closed_call", "remat", "checkpoint", "custom_jvp_call", "custom_vjp_call")


class Original(executing.Model):
    """A program, fed with arrays."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.tool = f"jax {jax.__version__}"
        self.jitted = jax.jit(program.call)

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        found = self.jitted(*self._arrays(feeds))
        return {name: np.asarray(each) for name, each in zip(self.program.outputs, found, strict=True)}

    def layers(self, feeds: dict[str, Any]) -> dict[str, Any]:
        if not self.program.free:
            raise Refused("an exported function shows nothing of its inside", kind="unsupported")
        arrays = self._arrays(feeds)
        closed = jax.make_jaxpr(self.program.call)(*arrays)
        found: dict[str, Any] = {}
        _evaluate(closed.jaxpr, closed.consts, arrays, found)
        return found

    def _arrays(self, feeds: Mapping[str, Any]) -> list[Any]:
        inputs = self.program.inputs
        return [feeds[name] if name in feeds else np.zeros(shape, dtype) for name, shape, dtype in inputs]


def _evaluate(jaxpr: Any, consts: Any, arrays: Any, found: dict[str, Any]) -> list[Any]:
    """One equation after the other; nested calls are opened up, loops are run whole."""
    known = dict(zip(jaxpr.constvars, consts, strict=True)) | dict(zip(jaxpr.invars, arrays, strict=True))

    def value(atom: Any) -> Any:
        return atom.val if hasattr(atom, "val") else known[atom]

    for equation in jaxpr.eqns:
        operands = [value(atom) for atom in equation.invars]
        name = equation.primitive.name
        inner = equation.params.get("jaxpr") or equation.params.get("call_jaxpr")
        if name in _CALLS and inner is not None:
            body, held = getattr(inner, "jaxpr", inner), getattr(inner, "consts", [])
            results = _evaluate(body, held, operands, found)
        else:
            variables = [atom for atom in equation.invars if not hasattr(atom, "val")]
            alone = jaxpr.replace(eqns=[equation], constvars=[], invars=variables, outvars=equation.outvars)
            results = jax.core.eval_jaxpr(alone, [], *[known[atom] for atom in variables])
            scope = str(equation.source_info.name_stack)
            label = f"{scope}/{name}" if scope else name
            number, key = 1, label
            while key in found:
                number, key = number + 1, f"{label}#{number + 1}"
            found[key] = np.asarray(results[0])
        known.update(zip(equation.outvars, results, strict=True))
    return [value(atom) for atom in jaxpr.outvars]

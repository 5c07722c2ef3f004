"""Loops that fit a CPU: as a search on the target found them where there was one (searching.py), else by a fixed rule.

TVM's default for a convolution or a matrix product is the mathematical definition: one scalar multiply-add after the
other, with the running sum in memory. The rule here turns

    for y, x, f:                                    for y, x/6, f/16:
        out[y, x, f] = 0                                sums[6, 16] = 0            # vector registers
        for r:                               ->         for r:
            out[y, x, f] += a[y, x, r] * w[r, f]            for 6 x: sums[x, :] += a[y, x, r] * w[r, f : f + 16]
                                                        out[y, x .. x + 6, f .. f + 16] = sums

which is the register tile that hand-written kernels use (Goto and van de Geijn, "Anatomy of high-performance matrix
multiplication", 2008), and gives element-wise loops a vector innermost. It wants the channels last, hence NHWC.
"""

from collections.abc import Mapping
from typing import Any

import tvm
from tvm import relax, s_tir
from tvm.relax.backend.cpu_generic import pipeline as stock

from . import workloads

_SPATIAL, _REDUCTION = 0, 2  # tvm.tirx.IterVar's kinds
_VECTOR = 16  # elements: one AVX-512 register of floats, two of AVX, four of NEON or SSE
_WORTH_IT = 4  # shorter vectors gain nothing
_ODD = 8  # the longest vector that is no multiple of four
_MOST_ROWS = 8
_TILES = tuple((rows, width) for width in (16, 32, 8, 64) for rows in (6, 4, 8, 2, 12, 1))  # for who measures them


def loops(module: tvm.IRModule, target: tvm.target.Target) -> tvm.IRModule:
    """The first half of TVM's stock CPU pipeline: operators, fused, as loops that nothing has arranged yet."""
    with target:
        module = _channels_last(module)
        lower = stock.library_dispatch_passes(target) + stock.legalize_passes(target)
        return tvm.transform.Sequential(lower)(module)


def compile_(module: tvm.IRModule, target: tvm.target.Target, tuned: Mapping[str, Any]) -> tuple[Any, int, int]:
    """What `loops` made, arranged, through the rest of the pipeline. `tuned`: workload -> trace of its loops.

    Returns the executable, how many operators are arranged as their trace says, and how many there are.
    """
    count = found = 0
    with target:
        for name, function in module.functions_items():
            if isinstance(function, tvm.tirx.PrimFunc):
                count += 1
                arranged = retraced(function, tuned.get(workloads.key(function)))
                found += arranged is not None
                module.update_func(name, arranged or by_rule(function, target))
        finish = stock.dataflow_lower_passes(target) + stock.finalize_passes(target)
        module = tvm.transform.Sequential(finish)(module)
        executable = tvm.compile(module, target=target, relax_pipeline=tvm.transform.Sequential([]))
    return executable, found, count


def by_rule(function: tvm.tirx.PrimFunc, target: tvm.target.Target) -> tvm.tirx.PrimFunc:
    """The loops of one operator as the rule has them; those that it does not fit stay as TVM made them."""
    schedule = _scheduled(function, _rows(target), _VECTOR)
    return function if schedule is None else schedule.mod["main"]


def tiles(function: tvm.tirx.PrimFunc) -> list[s_tir.Schedule]:
    """The rule with tiles of other sizes: which are the fastest depends on the shapes, and can be measured."""
    found: dict[str, s_tir.Schedule] = {}
    for rows, width in _TILES:
        schedule = _scheduled(function, rows, width)
        if schedule is not None:
            found.setdefault(schedule.mod.script(), schedule)
    return list(found.values())


def retraced(function: tvm.tirx.PrimFunc, trace: Any) -> tvm.tirx.PrimFunc | None:
    """The loops of one operator as `trace` says; None where it does not fit, or there is none.

    A trace is a list of changes of loops that keep what is computed, so one of another operator can do no harm."""
    if trace is None:
        return None
    schedule = s_tir.Schedule(tvm.IRModule({"main": function}))
    try:
        s_tir.schedule.Trace.apply_json_to_schedule(trace, schedule)
    except (RuntimeError, ValueError, TypeError):
        return None
    return schedule.mod["main"]


def _channels_last(module: tvm.IRModule) -> tvm.IRModule:
    """Convolutions in NHWC, weights already transposed; inputs and outputs of the model keep their layout."""
    wanted = {"relax.nn.conv2d": ["NHWC", "HWIO"]}
    try:
        return tvm.transform.Sequential([relax.transform.ConvertLayout(wanted), relax.transform.FoldConstant()])(module)
    except (RuntimeError, ValueError):
        return module  # an operator whose layout TVM cannot follow: correct as it is, and slower


def _rows(target: tvm.target.Target) -> int:
    """How many rows of a tile fit into the vector registers, beside one row of weights and one spread input."""
    bits = _vector_bits(target)
    registers = 32 if bits >= 512 or str(target.attrs.get("mtriple", "")).startswith("aarch64") else 16
    per_row = max(1, _VECTOR * 32 // bits)
    return min(_MOST_ROWS, (registers - per_row - 1) // per_row)


def _vector_bits(target: tvm.target.Target) -> int:
    """TVM's own llvm_get_vector_width says 512 for every x86."""
    for feature, bits in (("avx512f", 512), ("avx", 256)):
        if tvm.target.codegen.target_has_features(feature, target):
            return bits
    return 128


def _scheduled(function: tvm.tirx.PrimFunc, rows: int, width: int) -> s_tir.Schedule | None:
    """None where the loops are of a kind that the rule does not fit."""
    schedule = s_tir.Schedule(tvm.IRModule({"main": function}))
    try:
        for block in schedule.get_child_blocks(schedule.get_sblock("root")):
            _schedule_block(schedule, block, rows, width)
    except (RuntimeError, ValueError):
        return None
    return schedule


def _schedule_block(schedule: Any, block: Any, rows: int, most: int) -> None:
    loops = schedule.get_loops(block)
    kinds = [variable.iter_type for variable in schedule.get(block).iter_vars]
    if len(loops) != len(kinds) or not set(kinds) <= {_SPATIAL, _REDUCTION}:
        return
    spatial = [loop for loop, kind in zip(loops, kinds, strict=True) if kind == _SPATIAL]
    reduced = [loop for loop, kind in zip(loops, kinds, strict=True) if kind == _REDUCTION]
    if not spatial:
        return
    width = _divisor(schedule, spatial[-1], most)
    if width % _WORTH_IT:  # LLVM makes slow code of odd vectors: of a width of 10 three times slower than of 5
        width = _divisor(schedule, spatial[-1], min(most, _ODD))
    if width < _WORTH_IT:
        return
    *outer, last = spatial
    last, vector = schedule.split(last, [None, width])
    if not reduced:
        schedule.vectorize(vector)
        return
    tile = []
    if outer:
        row, within = schedule.split(outer[-1], [None, _divisor(schedule, outer[-1], rows)])
        outer, tile = [*outer[:-1], row], [within]
    schedule.reorder(*outer, last, *reduced, *tile, vector)
    written = schedule.cache_write(block, 0, "local")
    schedule.reverse_compute_at(written, last)
    schedule.vectorize(schedule.get_loops(written)[-1])
    schedule.vectorize(vector)
    for loop in tile:
        schedule.unroll(loop)
    schedule.decompose_reduction(block, reduced[0])


def _divisor(schedule: Any, loop: Any, most: int) -> int:
    """The largest divisor of a loop's extent that is at most `most`; 1 where the extent is not a constant."""
    extent = schedule.get(loop).extent
    if not isinstance(extent, tvm.tirx.IntImm):
        return 1
    return max(size for size in range(1, most + 1) if int(extent) % size == 0)

"""The search for the loops of one operator: the rule's tiles in other sizes first, then TVM's MetaSchedule.

MetaSchedule's own builder starts a Python that imports TVM for every candidate; here a candidate is built and timed
where it is found, and the search stops at any moment. A trace is MetaSchedule's word for the list of changes that make
loops.
"""

import json
import logging
import os
import sys
import types
from pathlib import Path
from typing import Any

import tvm
import tvm_ffi
from tvm import s_tir

from . import measuring, scheduling


def _intrinsics() -> None:
    """MetaSchedule imports the tensor instructions of every processor, a minute of parsing (`inspect` reads the source
    of all modules for each); here only those of the one it searches for are."""
    name = "tvm.s_tir.tensor_intrin"
    package = types.ModuleType(name)
    package.__path__ = [str(Path(str(s_tir.__file__)).with_name("tensor_intrin"))]
    sys.modules[name] = s_tir.tensor_intrin = package
    import tvm.s_tir.tensor_intrin.x86  # noqa: F401 - it enters them


_intrinsics()

from tvm.s_tir import meta_schedule as ms  # noqa: E402 - what it imports is in its place now

BATCH = 8  # candidates between two looks at the clock
_SAMPLED = "SamplePerfectTile"  # in traces that MetaSchedule can vary
_KEPT = 8  # traces of an operator: the best, from which a later search goes on
_SILENT = logging.getLogger("dlpipe.tuning")
_SILENT.setLevel(logging.CRITICAL)


class Search:
    """One operator's. `known`: [seconds, trace] of earlier searches."""

    def __init__(self, function: Any, target: Any, known: list[tuple[float, Any]], seed: int) -> None:
        self.function, self.target = function, target
        self.tensors = measuring.arguments(function)
        self.tried = 0
        self.exhausted = False
        self._tiles = [] if known else scheduling.tiles(function)
        self._context = ms.TuneContext(
            function.with_attr("global_symbol", "main"),
            target=target,
            space_generator=ms.space_generator.PostOrderApply(
                sch_rules=_rules(),
                postprocs=[
                    ms.postproc.DisallowDynamicLoop(),
                    ms.postproc.RewriteParallelVectorizeUnroll(),
                    ms.postproc.RewriteReductionBlock(),
                ],
                mutator_probs={
                    ms.mutator.MutateTileSize(): 0.9,
                    ms.mutator.MutateComputeLocation(): 0.05,
                    ms.mutator.MutateUnroll(): 0.05,
                },
            ),
            search_strategy=ms.search_strategy.EvolutionarySearch(
                population_size=64, genetic_num_iters=1, init_min_unmeasured=BATCH
            ),
            task_name="main",
            rand_state=seed,
            num_threads=len(os.sched_getaffinity(0)),
            logger=_SILENT,
        )
        self._database = ms.database.MemoryDatabase()
        self._workload = self._database.commit_workload(self._context.mod)
        for seconds, trace in known:
            if _SAMPLED in json.dumps(trace) and (schedule := self._replayed(trace)) is not None:
                self._commit(schedule.trace, seconds)
        self._model = ms.cost_model.XGBModel(num_warmup_samples=2 * BATCH)
        self._context.pre_tuning(1 << 20, BATCH, None, self._database, self._model)

    def step(self) -> list[tuple[float, Any]]:
        """Try a batch. Returns [seconds, trace] of those that ran."""
        if self._tiles:
            batch, self._tiles = self._tiles[:BATCH], self._tiles[BATCH:]
            timed = [(self._timed(schedule), schedule) for schedule in batch]
            return [(seconds, plain(schedule.trace.as_json())) for seconds, schedule in timed if seconds is not None]
        candidates = self._context.generate_measure_candidates()
        if not candidates:
            self.exhausted = True
            return []
        found, results = [], []
        for candidate in candidates:
            seconds = self._timed(candidate.sch)
            if seconds is None:
                results.append(ms.runner.RunnerResult(None, "it does not compile"))
                continue
            results.append(ms.runner.RunnerResult([seconds], None))
            self._commit(candidate.sch.trace, seconds)
            found.append((seconds, plain(candidate.sch.trace.as_json())))
        self._context.notify_runner_results(candidates, results)
        self._model.update(self._context, candidates, results)
        return found

    def _timed(self, schedule: Any) -> float | None:
        """Seconds of a run; None for a candidate that does not compile."""
        self.tried += 1
        try:
            return measuring.seconds(measuring.build(schedule.mod["main"], self.target), self.tensors)
        except (RuntimeError, ValueError, TypeError):
            return None

    def _commit(self, trace: Any, seconds: float) -> None:
        information = ms.arg_info.ArgInfo.from_entry_func(self._context.mod, remove_preproc=False)
        record = ms.database.TuningRecord(trace, self._workload, [seconds], self.target, information)
        self._database.commit_tuning_record(record)

    def _replayed(self, trace: Any) -> Any:
        schedule = s_tir.Schedule(self._context.mod)
        try:
            s_tir.schedule.Trace.apply_json_to_schedule(trace, schedule)
        except (RuntimeError, ValueError, TypeError):
            return None
        return schedule


def _rules() -> list[Any]:
    """MetaSchedule's own for LLVM, less threads: artefacts are compared on one."""
    rule = ms.schedule_rule
    return [
        rule.ApplyCustomRule(),
        rule.InlineConstantScalars(),
        rule.AutoInline(
            into_producer=False,
            into_consumer=True,
            inline_const_tensor=True,
            disallow_if_then_else=True,
            require_injective=True,
            require_ordered=True,
            disallow_op=["tirx.exp"],
        ),
        rule.AddRFactor(max_jobs_per_core=16, max_innermost_factor=64),
        rule.MultiLevelTiling(
            structure="SSRSRS",
            max_innermost_factor=64,
            reuse_write=rule.ReuseType(req="may", levels=[1, 2], scope="global"),
        ),
        rule.ParallelizeVectorizeUnroll(
            max_jobs_per_core=-1, max_vectorize_extent=64, unroll_max_steps=[0, 16, 64, 512], unroll_explicit=True
        ),
        rule.RandomComputeLocation(),
    ]


def best(found: list[tuple[float, Any]]) -> list[tuple[float, Any]]:
    """The fastest few, each trace once; in an order that does not depend on how they came."""
    once = {json.dumps(trace): (seconds, trace) for seconds, trace in sorted(found, key=_fastest, reverse=True)}
    return sorted(once.values(), key=_fastest)[:_KEPT]


def _fastest(each: tuple[float, Any]) -> tuple[float, str]:
    return each[0], json.dumps(each[1])


def plain(value: Any) -> Any:
    """TVM's containers and numbers as JSON has them."""
    if isinstance(value, list | tuple | tvm_ffi.Array):
        return [plain(each) for each in value]
    if isinstance(value, tvm.tirx.IntImm):
        return int(value.value)
    if isinstance(value, tvm.tirx.FloatImm):
        return float(value.value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)

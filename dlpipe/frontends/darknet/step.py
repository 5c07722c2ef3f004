"""One layer on its way into the graph: what its handler reads, and how it writes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from dlpipe_worker import Refused

from ..kit import emit
from ..kit.handling import Table
from ..kit.writing import Writing
from .cfg import MAX_INT, Section
from .weights import Weights

Shape = list[Any]  # without the batch: [channels, height, width] or [numbers]
Handler = Callable[["Step"], None]
layer: Table[Handler] = Table()
HANDLERS, LIMITS = layer.handlers, layer.limits
# Options that only training, drawing or the choice of an implementation has a use for.
TRAINING = {
    "absolute", "angle", "batch", "beta_nms", "bias_match", "burn_in", "burnin_update", "class_scale", "clip",
    "cls_normalizer", "contrastive", "coord_scale", "cost_type", "counters_per_class", "decay", "delta_normalizer",
    "dontload", "dontloadscales", "dontsave", "dropblock", "dropblock_size", "dropblock_size_abs",
    "dropblock_size_rel", "embedding_layer", "equidistant_point", "exposure", "flip", "focal_loss", "forced",
    "ignore", "ignore_thresh", "iou_loss", "iou_normalizer", "iou_thresh", "iou_thresh_kind", "jitter", "jitters",
    "label_smooth_eps", "learning_rate", "learning_rate_scale", "map", "map_thresh", "max", "max_delta", "momentum",
    "mosaic_bound", "new_lr", "nms_kind", "noadjust_train", "noloss", "noobject_scale", "obj_normalizer",
    "object_scale", "objectness_smooth", "onlyforward", "probability", "random", "ratio", "rescore", "resize",
    "reverse_train", "saturation", "save_track", "scale_wh", "seperate", "shift", "show_details", "smooth",
    "sqrt_max", "stopbackward", "subdivisions", "thresh", "train_only_bn", "truth_thresh", "type", "uc_normalizer",
    "weights_train", "xnor_train",
}  # fmt: skip


class Step(Writing[emit.Graph]):
    """`value`, `shape`: what the layer before gave; `made`: all layers' (value, shape) so far; `head`: see heads."""

    def __init__(
        self,
        graph: emit.Graph,
        section: Section,
        weights: Weights,
        made: list[tuple[str, Shape]],
        before: tuple[str, Shape],
    ) -> None:
        super().__init__(graph, section.name)
        self.section = section
        self.weights = weights
        self.made = made
        self.value, self.shape = before
        self.net_size: tuple[int, int] = (0, 0)
        self.head: dict[str, Any] | None = None
        self.result: tuple[str, Shape] | None = None

    def fail(self, reason: str, kind: str = "bad-model") -> NoReturn:
        name = self.section.name
        raise Refused(
            f"layer {self.section.index} [{self.section.kind}]: {reason}", kind, node=name, op=self.section.kind
        )

    def weight(self, *shape: int) -> Any:
        if min(shape, default=1) < 1:
            self.fail(f"weights of the shape {list(shape)}")
        return self.weights.take(shape, f"layer {self.section.index} [{self.section.kind}]")

    def reshape(self, value: str, shape: Sequence[int]) -> str:
        """The batch stays as it is."""
        return self.node("Reshape", [value, self.ints([0, *shape], "shape")])

    def image(self) -> tuple[int, int, int]:
        """Channels, height, width of what came before. Raises Refused where that is no image."""
        if len(self.shape) != 3:
            self.fail("the layer before gives no image")
        return self.shape[0], self.shape[1], self.shape[2]

    def done(self, value: str, shape: Shape) -> None:
        """Write the layer's result under the layer's own name."""
        if not shape or any(not 0 < dim < MAX_INT for dim in shape) or math.prod(shape) > 1 << 40:
            self.fail(f"its result would have the shape {shape}: what came before is too small")
        self.result = (self.graph.node("Identity", [value], self.section.name, self.section.name), list(shape))

    def refuse_options(self, **plain: str) -> None:
        """Raises Refused for an option that is given with another value than one that changes nothing."""
        for key, harmless in plain.items():
            if self.section.text(key, harmless) != harmless:
                self.fail(f"{key}={self.section.text(key)[:40]} is not converted", "unsupported")

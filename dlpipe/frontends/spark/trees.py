"""Decision trees and their ensembles, as they are saved -> TreeEnsembleRegressor of ai.onnx.ml.

A classifier's trees are regressors of class frequencies: that is how Spark lets them vote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from dlpipe_worker import Refused
from onnx import numpy_helper

from .categories import members
from .reading import Array, SavedStage, read_rows
from .scope import Column, Scope

MAX_CATEGORIES = 100_000  # of one feature
_AVERAGED = ("RandomForest",)  # a boosted ensemble adds up instead


@dataclass(frozen=True)
class Forest:
    """`trees`: for each its nodes by id, and its weight."""

    stage: SavedStage
    trees: list[tuple[dict[int, Mapping[str, Any]], float]]

    def regression(self) -> list[tuple[dict[int, Mapping[str, Any]], dict[int, Array]]]:
        """Each tree with what its leaves add to the sum: [1]."""
        return [
            (nodes, {i: np.array([weight * float(node["prediction"])]) for i, node in nodes.items() if _is_leaf(node)})
            for nodes, weight in self.trees
        ]

    def classification(self, classes: int) -> list[tuple[dict[int, Mapping[str, Any]], dict[int, Array]]]:
        """Each tree with its leaves' share of the probabilities: [classes]."""
        return [
            (nodes, {i: self._shares(node, classes) / len(self.trees) for i, node in nodes.items() if _is_leaf(node)})
            for nodes, _ in self.trees
        ]

    def _shares(self, node: Mapping[str, Any], classes: int) -> Array:
        counts = np.array(node["impurityStats"], np.float64)
        if len(counts) != classes or counts.sum() <= 0:
            raise Refused("a leaf holds no class frequencies", node=self.stage.uid, op=self.stage.kind)
        shares: Array = counts / counts.sum()
        return shares


def read(stage: SavedStage) -> Forest:
    """Raises Refused for trees that are not whole: a missing child, a cycle."""
    rows = stage.rows()
    alone = "treeID" not in (rows[0] if rows else {})
    by_tree: dict[int, dict[int, Mapping[str, Any]]] = {}
    for row in rows:
        node = row if alone else row["nodeData"]
        by_tree.setdefault(0 if alone else int(row["treeID"]), {})[int(node["id"])] = node
    if not by_tree:
        raise Refused("there are no trees", node=stage.uid, op=stage.kind)
    weights = dict.fromkeys(by_tree, 1.0)
    if not alone:
        # Spark names these columns by their places since 3.0.
        given = {
            int(row["treeID" if "treeID" in row else "_1"]): float(row["weights" if "weights" in row else "_3"])
            for row in read_rows(stage.path / "treesMetadata")
        }
        weights = {tree: given[tree] for tree in by_tree}
        if stage.kind.startswith(_AVERAGED):
            weights = {tree: 1.0 / len(by_tree) for tree in by_tree}
    for nodes in by_tree.values():
        _check(stage, nodes)
    return Forest(stage, [(by_tree[tree], weights[tree]) for tree in sorted(by_tree)])


def _is_leaf(node: Mapping[str, Any]) -> bool:
    return int(node["leftChild"]) < 0


def _check(stage: SavedStage, nodes: Mapping[int, Mapping[str, Any]]) -> None:
    seen: set[int] = set()
    waiting = [0]
    while waiting:
        index = waiting.pop()
        if index in seen or index not in nodes:
            raise Refused(f"the node {index} of a tree is missing, or has two parents", node=stage.uid, op=stage.kind)
        seen.add(index)
        if not _is_leaf(nodes[index]):
            waiting += [int(nodes[index]["leftChild"]), int(nodes[index]["rightChild"])]


def emit(
    scope: Scope,
    stage: SavedStage,
    trees: list[tuple[dict[int, Mapping[str, Any]], dict[int, Array]]],
    column: Column,
) -> str:
    """[N, outputs]: the sum of what the leaves give. Thresholds and sums are doubles.

    A split over categories becomes one over whether the value is in its set: that is a feature more.
    """
    ids: dict[str, list[Any]] = {key: [] for key in ("tree", "node", "feature", "mode", "left", "right")}
    thresholds, targets = [], []
    sets: dict[tuple[int, tuple[float, ...]], int] = {}
    for tree, (nodes, leaves) in enumerate(trees):
        for index, node in sorted(nodes.items()):
            leaf = _is_leaf(node)
            split = node["split"]
            feature = 0 if leaf else int(split["featureIndex"])
            if not 0 <= feature < column.width:
                raise Refused(f"a tree asks for the feature {feature} of {column.width}", node=stage.uid, op=stage.kind)
            children = [max(0, int(node[side])) for side in ("leftChild", "rightChild")]
            threshold = 0.0 if leaf else float(split["leftCategoriesOrThreshold"][0])
            if not leaf and int(split["numCategories"]) >= 0:
                known, inside_is_left = _set(split)
                scope.tell(column, feature, list(map(float, range(int(split["numCategories"])))))
                feature = column.width + sets.setdefault((feature, known), len(sets))
                threshold, children = 0.5, children[::-1] if inside_is_left else children
            row = (tree, index, feature, "LEAF" if leaf else "BRANCH_LEQ", *children)
            for key, value in zip(ids, row, strict=True):
                ids[key].append(value)
            thresholds.append(threshold)
            if leaf:
                targets += [(tree, index, number, float(each)) for number, each in enumerate(leaves[index])]
    outputs = len(next(iter(trees[0][1].values())))
    features = column.value
    if sets:
        features = scope.node(
            "Concat", [features, members(scope, stage.uid, column, list(sets))], f"{stage.uid}/with-sets", axis=1
        )
    value = scope.ml(
        "TreeEnsembleRegressor",
        [features],
        stage.uid,
        n_targets=outputs,
        nodes_treeids=ids["tree"],
        nodes_nodeids=ids["node"],
        nodes_featureids=ids["feature"],
        nodes_modes=ids["mode"],
        nodes_truenodeids=ids["left"],
        nodes_falsenodeids=ids["right"],
        nodes_values_as_tensor=numpy_helper.from_array(np.array(thresholds), "thresholds"),
        target_treeids=[each[0] for each in targets],
        target_nodeids=[each[1] for each in targets],
        target_ids=[each[2] for each in targets],
        target_weights_as_tensor=numpy_helper.from_array(np.array([each[3] for each in targets]), "weights"),
    )
    return scope.node("Cast", [value], f"{stage.uid}/double", to=11)


def _set(split: Mapping[str, Any]) -> tuple[tuple[float, ...], bool]:
    """The smaller side's categories, and whether that is the left one: what is in neither goes to the other side."""
    left = {float(each) for each in split["leftCategoriesOrThreshold"]}
    count = int(split["numCategories"])
    if not 0 < count <= MAX_CATEGORIES:
        raise ValueError(f"{count} categories")
    if len(left) <= count / 2:
        return tuple(sorted(left)), True
    return tuple(sorted(set(map(float, range(count))) - left)), False

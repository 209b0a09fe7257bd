"""Peak memory of activations from a traced graph: the oracle for `Cost.memory` and `Cost.layers`.

It shares nothing with what it judges: torch.fx says which operations a forward has, `ShapeProp` how large their results
are, and of every tensor it is looked up between which operations it is needed.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp


def held(model: nn.Module, image_size: int) -> int:
    """Peak bytes of the activations of one image in a network on the meta device."""
    traced = fx.GraphModule(model, _Tracer().trace(model))
    ShapeProp(traced).propagate(torch.empty(1, 3, image_size, image_size, device="meta"))
    nodes = [node for node in traced.graph.nodes if node.op != "output" and "tensor_meta" in node.meta]
    owners: dict[fx.Node, fx.Node] = {}  # whose tensor each node has: its own, or a view of another's
    reads: dict[fx.Node, list[int]] = {}
    for place, node in enumerate(nodes):
        if _is_view(node, traced):
            owners[node] = owners[node.all_input_nodes[0]]
            continue
        owners[node], reads[node] = node, []
        for read in node.all_input_nodes:
            reads[owners[read]].append(place)
    lives: dict[fx.Node, tuple[int, int, int]] = {}  # first and last operation, bytes
    home: dict[fx.Node, fx.Node] = {}  # which of `lives` a tensor is a part of
    for place, node in enumerate(nodes):
        if node not in reads:
            continue
        first, home[node] = place, node
        if _is_map(node, traced):
            source = owners[node.all_input_nodes[0]]
            if max(reads[source]) == place:  # written over it: the two are one
                home[node] = home[source]
                first = lives[home[source]][0]
        lives[home[node]] = first, max(reads[node], default=place), 4 * node.meta["tensor_meta"].shape.numel()
    return max(sum(size for first, last, size in lives.values() if first <= now <= last) for now in range(len(nodes)))


def layers(model: nn.Module) -> int:
    """The modules of a network that are convolutions or linear layers."""
    return sum(isinstance(module, (nn.Conv2d, nn.Linear)) for module in model.modules())


class _Tracer(fx.Tracer):
    def to_bool(self, obj: Any) -> bool:
        """The only question that a network asks: whether an image has another size than its own. It has not."""
        return False


def _is_view(node: fx.Node, traced: fx.GraphModule) -> bool:
    if node.op == "call_module":
        return isinstance(traced.get_submodule(str(node.target)), nn.Identity)
    return node.target in (torch.flatten, operator.getitem)


def _is_map(node: fx.Node, traced: fx.GraphModule) -> bool:
    """Whether an operation maps each number of one tensor by itself."""
    if node.op == "call_module":
        return isinstance(traced.get_submodule(str(node.target)), (nn.BatchNorm2d, nn.ReLU, nn.Sigmoid))
    return node.target is F.relu or (node.target is operator.mul and len(node.all_input_nodes) == 1)

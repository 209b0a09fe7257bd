"""A network as one Python file that needs PyTorch only: the definitions that it is made of, from this package's source.

Starting from some classes, everything they refer to is collected, module by module, with its imports; what comes from
this package is copied, what comes from elsewhere is imported.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import ModuleType
from typing import Any

import wrcor_ext
from wrcor_ext.spaces import Space
from wrcor_ext.spaces.channelbench import ChannelBenchMobileNet
from wrcor_ext.spaces.mobilenetv2 import MobileNetV2
from wrcor_ext.spaces.nasbench101 import NASBench101
from wrcor_ext.spaces.nasbench101_cell import OPS, encode
from wrcor_ext.spaces.nasbench101_graph import unpack
from wrcor_ext.spaces.nasbench201 import NASBench201
from wrcor_ext.spaces.nasbench_macro import NASBenchMacro

_PACKAGE = wrcor_ext.__name__


@dataclass(frozen=True)
class Construction:
    """How a network is made.

    Attributes:
        classes: that the two expressions name.
        architecture: an expression for the architecture.
        network: an expression for the network, of `ARCHITECTURE` and `num_classes`.
    """

    classes: Sequence[type]
    architecture: str
    network: str


def construction(space: Space[Any], arch: Any) -> Construction | None:
    """How the network of an architecture is made; None for a space of the user's own."""
    # Not isinstance: a subclass may build something else.
    made = _CONSTRUCTIONS.get(type(space))
    return None if made is None else made(space, arch)


def _nasbench201(space: NASBench201, arch: Any) -> Construction:
    from wrcor_ext.spaces.nets.nasbench201 import TinyNetwork

    shape = space.shape
    options = f"stem_width={shape.stem_width}, cells_per_stage={shape.cells_per_stage}, batch_norm={shape.batch_norm}"
    return Construction((TinyNetwork,), f"({_listed(arch)})", f"TinyNetwork(ARCHITECTURE, num_classes, {options})")


def _nasbench101(space: NASBench101, arch: Any) -> Construction:
    from wrcor_ext.spaces.nasbench101_cost import NetworkShape
    from wrcor_ext.spaces.nets.nasbench101 import Network

    sources, labels = unpack(encode(arch))
    ops = _listed(OPS[label] for label in labels)
    cell = f'{{\n    "sources": [{_listed(sources)}],\n    "ops": [{ops}],\n}}'
    outer = space.shape
    options = f"stem_width={outer.stem_width}, stacks={outer.stacks}, cells_per_stack={outer.cells_per_stack}"
    made = f"NetworkShape({options}, num_classes=num_classes, image_size={outer.image_size})"
    return Construction(
        (Network, NetworkShape), cell, f"Network(\n        **ARCHITECTURE,\n        shape={made},\n    )"
    )


def _mobilenetv2(_: MobileNetV2, arch: Any) -> Construction:
    from wrcor_ext.spaces.mobilenetv2_arch import Architecture, Block
    from wrcor_ext.spaces.nets.mobilenetv2 import MasterNet

    blocks = "".join(f"        {block!r},\n" for block in arch.blocks)
    text = (
        f"Architecture(\n    stem={arch.stem},\n    blocks=(\n{blocks}    ),\n    head={arch.head},\n"
        f"    resolution={arch.resolution},\n)"
    )
    return Construction((MasterNet, Architecture, Block), text, "MasterNet(ARCHITECTURE, num_classes)")


def _nasbench_macro(_: NASBenchMacro, arch: Any) -> Construction:
    from wrcor_ext.spaces.nets.nasbench_macro import MacroNetwork

    return Construction((MacroNetwork,), json.dumps(arch), "MacroNetwork(ARCHITECTURE, num_classes)")


def _channelbench(_: ChannelBenchMobileNet, arch: Any) -> Construction:
    from wrcor_ext.spaces.nets.channelbench import ChannelNetwork

    return Construction((ChannelNetwork,), json.dumps(arch), "ChannelNetwork(ARCHITECTURE, num_classes)")


_CONSTRUCTIONS: dict[type[Space[Any]], Callable[[Any, Any], Construction]] = {
    NASBench201: _nasbench201,
    NASBench101: _nasbench101,
    MobileNetV2: _mobilenetv2,
    NASBenchMacro: _nasbench_macro,
    ChannelBenchMobileNet: _channelbench,
}


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(json.dumps, values))


_FILE = '''"""{title}

{origin}

    model = network()        # with new weights
    model = network(seed={seed})  # with those that it was scored with
"""

from __future__ import annotations

{imports}


{definitions}


ARCHITECTURE = {architecture}


def network(num_classes: int = {num_classes}, seed: int | None = None) -> nn.Module:
    """The network: images [B, 3, {image_size}, {image_size}] to logits [B, num_classes].

    Args:
        num_classes: width of the classifier.
        seed: draws the weights on the CPU, without a trace in torch's global generator; None draws them from it.
    """
    if seed is not None:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return network(num_classes)
    return {network}
'''


def standalone(made: Construction, *, title: str, origin: str, num_classes: int, image_size: int, seed: int) -> str:
    """The text of the file.

    Args:
        made: how the network is made.
        title: first line of the file.
        origin: where it comes from, in a sentence.
        num_classes: default width of the classifier.
        image_size: side in pixels of the images that the network was scored on.
        seed: of the weights that it was scored with.
    """
    collected = _Collected()
    for cls in made.classes:
        collected.add(importlib.import_module(cls.__module__), cls.__name__)
    collected.imports["torch"].add("nn")
    collected.plain_imports.add("import torch")
    return _FILE.format(
        title=title,
        origin=origin,
        seed=seed,
        imports="\n".join(_import_lines(collected)),
        definitions=_set_apart(list(collected.definitions.values())),
        architecture=made.architecture,
        network=made.network,
        num_classes=num_classes,
        image_size=image_size,
    )


def _import_lines(collected: _Collected) -> Iterator[str]:
    """Those of the standard library, then torch's; `import x` before `from x import y`."""
    froms = [f"from {module} import {', '.join(sorted(names))}" for module, names in collected.imports.items()]
    statements = [*sorted(collected.plain_imports), *sorted(froms)]
    of_torch = [s for s in statements if s.split()[1].partition(".")[0] == "torch"]
    others = [s for s in statements if s not in of_torch]
    yield from (*others, *([""] if others else []), *of_torch)


def _set_apart(definitions: Sequence[str]) -> str:
    """Definitions with two empty lines around classes and functions, and one between constants."""
    text = definitions[0]
    for before, after in pairwise(definitions):
        constants = "\n" not in before and "\n" not in after
        text += f"\n\n{after}" if constants else f"\n\n\n{after}"
    return text


@dataclass
class _Collected:
    """What was collected so far; definitions come after those that they refer to.

    Attributes:
        imports: the names of `from module import names` by module.
        plain_imports: statements `import module`.
        definitions: source by name.
    """

    imports: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    plain_imports: set[str] = field(default_factory=set)
    definitions: dict[str, str] = field(default_factory=dict)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def add(self, module: ModuleType, name: str) -> None:
        """Adds what `name` means in `module`; nothing for builtins and local names."""
        if (module.__name__, name) in self._seen:
            return
        self._seen.add((module.__name__, name))
        source = inspect.getsource(module)
        for node in ast.parse(source).body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self._add_import(node, name)
            elif name in _defined(node):
                for other in ast.walk(node):
                    if isinstance(other, ast.Name):
                        self.add(module, other.id)
                if name in self.definitions:
                    raise ValueError(f"two definitions are called {name}")
                self._seen.update((module.__name__, other) for other in _defined(node))
                self.definitions[name] = _text(source, node)

    def _add_import(self, node: ast.Import | ast.ImportFrom, name: str) -> None:
        for alias in node.names:
            if (alias.asname or alias.name) != name:
                continue
            if isinstance(node, ast.Import):
                self.plain_imports.add(f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else ""))
                continue
            assert node.module is not None  # no relative imports here
            if node.module.partition(".")[0] == _PACKAGE:
                self.add(importlib.import_module(node.module), alias.name)
            else:
                self.imports[node.module].add(alias.name)


def _defined(node: ast.stmt) -> list[str]:
    """The names that a statement of a module defines."""
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]


def _text(source: str, node: ast.stmt) -> str:
    """A statement as it stands in the source, with its decorators and the comment right above."""
    lines = source.splitlines()
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) - 1
    while first > 0 and lines[first - 1].startswith("#"):
        first -= 1
    return "\n".join(lines[first : node.end_lineno])

"""A search space of the user's own networks: a list of factories, or one factory with a grid of parameters."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, overload

from wrcor_ext.errors import InputError, did_you_mean
from wrcor_ext.spaces.base import COUNTINGS, Cost, Counting, Limits, Space, draw_within, require_count, require_number
from wrcor_ext.spaces.encoding import Encoding, GridEncoding, Variable
from wrcor_ext.spaces.factories import Factory, by_name, checked, fit, make
from wrcor_ext.spaces.grids import Value, axis_of, json_text, listed, read_object
from wrcor_ext.spaces.quoting import quoted

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

Architecture = tuple[Value, ...]


@overload
def from_models(
    models: Mapping[str, Factory] | Iterable[Factory], *, num_classes: int = 10, image_size: int = 32
) -> NamedModels: ...


@overload
def from_models(
    models: Factory, grid: Mapping[str, Iterable[object]], *, num_classes: int = 10, image_size: int = 32
) -> ModelGrid: ...


def from_models(
    models: Mapping[str, Factory] | Iterable[Factory] | Factory,
    grid: Mapping[str, Iterable[object]] | None = None,
    *,
    num_classes: int = 10,
    image_size: int = 32,
) -> ModelSpace:
    """A space of named models, or of all combinations of one model's parameters.

    ```python
    from_models({"narrow": make_narrow, "wide": make_wide})  # or a list of functions, which have names
    from_models(resnet, {"width": [16, 32, 64], "depth": [1, 2, 3]})  # calls resnet(width=32, depth=2, num_classes=10)
    ```

    Args:
        models: functions or classes that return a new `torch.nn.Module`; they are given `num_classes` if they take it.
        grid: the values of each keyword argument of the one model: JSON values, where a list becomes a tuple.
        num_classes: what `cost`, `build` and limits assume where nothing else is said.
        image_size: the same for the side of the square images, in pixels.

    Raises:
        InputError: for anything that is no factory, a grid that does not fit its arguments, or an option out of range.
    """
    if grid is not None:
        return ModelGrid(checked(models), grid, num_classes=num_classes, image_size=image_size)
    if isinstance(models, Mapping):
        return NamedModels(models, num_classes=num_classes, image_size=image_size)
    if not isinstance(models, Iterable):
        checked(models)
        raise InputError("one factory makes a space only with a grid of its parameters")
    return NamedModels(by_name(models), num_classes=num_classes, image_size=image_size)


class ModelSpace(Space[Architecture]):
    """All combinations of some values, each of which a factory can make a network of.

    An architecture is a tuple of one value for each parameter. A network is counted on the meta device, once.
    Architectures that are written differently have different keys: nothing is known of what the networks compute.

    Args:
        axes: parameter -> its values by their JSON text.
        num_classes: width of the classifier, where a factory lets it be chosen.
        image_size: side of the square images in pixels.
    """

    name = "models"

    def __init__(self, axes: Mapping[str, Mapping[str, Value]], *, num_classes: int, image_size: int) -> None:
        require_count("num_classes", num_classes)
        require_count("image_size", image_size)
        self.axes = axes
        self._values = [tuple(axis.values()) for axis in axes.values()]
        self._text_of = [{value: text for text, value in axis.items()} for axis in axes.values()]
        self.size = math.prod(map(len, axes.values()))
        self.default_num_classes = num_classes
        self.default_image_size = image_size
        self._costs: dict[tuple[str, int, int], Cost] = {}

    def sample(self, rng: np.random.Generator, *, limits: Limits | None = None) -> Architecture:
        """A random architecture, uniform over all or over those within the limits.

        Raises:
            InputError: if none within the limits was found, or a network cannot be counted.
        """

        def draw() -> Architecture:
            return tuple(values[rng.integers(len(values))] for values in self._values)

        return draw_within(draw, self.cost, limits)

    def mutate(self, arch: Architecture, rng: np.random.Generator, *, limits: Limits | None = None) -> Architecture:
        """An architecture that differs in exactly one parameter: first a parameter is drawn, then its new value.

        With limits, values outside are passed over, and so are parameters without any other value.

        Raises:
            InputError: if no neighbour is within the limits, or a network cannot be counted.
        """
        self._texts(arch)
        for place in rng.permutation(len(arch)):
            others = [value for value in self._values[place] if value != arch[place]]
            for choice in rng.permutation(len(others)):
                neighbour = (*arch[:place], others[choice], *arch[place + 1 :])
                if limits is None or limits.admits(self.cost(neighbour)):
                    return neighbour
        raise InputError(f"no neighbour of {self.format(arch)} keeps {limits or 'to the space: it is the only one'}")

    def parse(self, text: str) -> Architecture:
        """The architecture of a JSON object with a value for every parameter, in any order.

        Raises:
            InputError: for anything else, naming the offending parameter or position.
        """
        if not isinstance(text, str):
            raise InputError(f"an architecture is a text, not {quoted(text)}")
        given = read_object(text)
        start = f"architecture {quoted(text)}"
        for name in given:
            if name not in self.axes:
                raise InputError(f"{start}: unknown parameter {quoted(name)}, known are {', '.join(self.axes)}")
        arch = []
        for name, axis in self.axes.items():
            if name not in given:
                raise InputError(f"{start} lacks parameter {name!r}")
            value = json_text(given[name])
            if value not in axis:
                raise InputError(f"{start}: {name} is {quoted(given[name])}, allowed are {listed(axis)}")
            arch.append(axis[value])
        return tuple(arch)

    def format(self, arch: Architecture) -> str:
        """JSON: `{"width": 16, "depth": 2}`."""
        pairs = zip(self.axes, self._texts(arch), strict=True)
        return "{" + ", ".join(f"{json_text(name)}: {value}" for name, value in pairs) + "}"

    def key(self, arch: Architecture) -> str:
        """The text form."""
        return self.format(arch)

    def cost(
        self,
        arch: Architecture,
        *,
        counting: Counting = "exact",
        num_classes: int | None = None,
        image_size: int | None = None,
    ) -> Cost:
        """Multiply-adds of one image, parameters, peak memory and layers, counted by `wrcor_ext.cost` and remembered.

        Args:
            arch: the architecture.
            counting: both are the same here: there is no published table.
            num_classes: width of the classifier; the space's own if None.
            image_size: side in pixels; the space's own if None.

        Raises:
            InputError: for a value that is no architecture, an option out of range, or a network that cannot be made
                or run.
        """
        from wrcor_ext.cost import count_made
        from wrcor_ext.spaces.seeding import private_rng

        text = self.format(arch)
        if counting not in COUNTINGS:
            raise InputError(f"counting={counting!r} is not one of {', '.join(COUNTINGS)}")
        classes = self._classes(num_classes)
        size = self.default_image_size if image_size is None else image_size
        require_count("image_size", size)
        if (text, classes, size) not in self._costs:
            # Weights are drawn only where a network cannot be made without, and even then nobody looks at them.
            with private_rng(0):
                try:
                    cost = count_made(lambda: self._make(arch, classes), (3, size, size))
                except InputError as error:
                    raise InputError(f"the cost of {text} is unknown: {error}") from error
            self._costs[text, classes, size] = cost
        return self._costs[text, classes, size]

    def build(self, arch: Architecture, *, num_classes: int | None = None, seed: int | None = None) -> nn.Module:
        """The network as its factory makes it, with the factory's initialisation.

        Args:
            arch: the architecture.
            num_classes: width of the classifier, given to factories that take it; the space's own if None.
            seed: draws the weights from a private generator with this seed, leaving torch's global one untouched;
                None draws them from the global one.

        Raises:
            InputError: for a value that is no architecture, or a factory that raises or returns no module.
        """
        from wrcor_ext.spaces.seeding import private_rng

        self._texts(arch)
        with private_rng(seed):
            return self._make(arch, self._classes(num_classes))

    def enumerate(self) -> Iterator[Architecture]:
        """All architectures, the last parameter changing fastest."""
        return product(*self._values)

    def encoding(self) -> Encoding[Architecture]:
        """One variable for each parameter, its values by their JSON text."""
        variables = [Variable(name, tuple(axis)) for name, axis in self.axes.items()]

        def join(texts: Iterable[str]) -> Architecture:
            return tuple(axis[text] for axis, text in zip(self.axes.values(), texts, strict=True))

        return GridEncoding(variables, self._texts, join)

    @property
    def nth_count(self) -> int | None:
        """All have numbers, however many they are."""
        return self.size

    def nth(self, number: int) -> Architecture:
        """The architecture at `number`, counted from 0, in the order of `enumerate`.

        Raises:
            InputError: for a number that is not below `nth_count`.
        """
        require_number(number, self.size)
        arch = []
        for values in reversed(self._values):
            number, digit = divmod(number, len(values))
            arch.append(values[digit])
        return tuple(reversed(arch))

    def neighbours(self, arch: Architecture) -> list[Architecture]:
        """All architectures that differ in exactly one parameter."""
        self._texts(arch)
        return [
            (*arch[:place], value, *arch[place + 1 :])
            for place, values in enumerate(self._values)
            for value in values
            if value != arch[place]
        ]

    @abstractmethod
    def _make(self, arch: Architecture, num_classes: int) -> nn.Module:
        """The network of a valid architecture, or an InputError."""

    def _classes(self, num_classes: int | None) -> int:
        if num_classes is None:
            return self.default_num_classes
        require_count("num_classes", num_classes)
        return num_classes

    def _texts(self, arch: object) -> list[str]:
        """The JSON text of each value of an architecture."""
        if not isinstance(arch, tuple) or len(arch) != len(self.axes):
            raise InputError(f"{quoted(arch)} is not a tuple of one value for each of {', '.join(self.axes)}")
        return [self._text(place, arch) for place in range(len(arch))]

    def _text(self, place: int, arch: tuple[object, ...]) -> str:
        known = self._text_of[place]
        try:
            return known[arch[place]]  # type: ignore[index]  # whatever is in there
        except (KeyError, TypeError):  # not among the values, or not even hashable
            name, allowed = list(self.axes)[place], listed(known.values())
            raise InputError(f"{name} is {quoted(arch[place])} in {quoted(arch)}, allowed are {allowed}") from None


class ModelGrid(ModelSpace):
    """One factory with a grid of parameters; see `from_models`."""

    def __init__(
        self, factory: Factory, grid: Mapping[str, Iterable[object]], *, num_classes: int, image_size: int
    ) -> None:
        self._factory = factory
        if not isinstance(grid, Mapping):
            raise InputError(f"the grid is {quoted(grid)}, not a dictionary of parameters and their values")
        if not grid:
            raise InputError("the grid has no parameter")
        axes = {str(name): axis_of(str(name), values) for name, values in grid.items()}
        if "num_classes" in axes:
            raise InputError("num_classes cannot be in the grid: the images decide it")
        super().__init__(axes, num_classes=num_classes, image_size=image_size)
        fit(factory, {name: next(iter(axis.values())) for name, axis in axes.items()})

    def _make(self, arch: Architecture, num_classes: int) -> nn.Module:
        return make(self._factory, dict(zip(self.axes, arch, strict=True)), num_classes, self.format(arch))


class NamedModels(ModelSpace):
    """Factories by name; an architecture is written as the bare name. See `from_models`."""

    def __init__(self, models: Mapping[str, Factory], *, num_classes: int, image_size: int) -> None:
        if not models:
            raise InputError("a space of no models is empty")
        self._models = {str(name): checked(factory) for name, factory in models.items()}
        for factory in models.values():
            fit(factory, {})
        super().__init__(
            {"model": {name: name for name in self._models}}, num_classes=num_classes, image_size=image_size
        )

    def parse(self, text: str) -> Architecture:
        """The architecture called `text`.

        Raises:
            InputError: for an unknown name; near ones are offered.
        """
        if text not in self._models:
            raise InputError(
                f"unknown model {quoted(text)}: {did_you_mean(text, self._models)}known are {', '.join(self._models)}"
            )
        return (text,)

    def format(self, arch: Architecture) -> str:
        """The name."""
        return self._texts(arch)[0]

    def _make(self, arch: Architecture, num_classes: int) -> nn.Module:
        name = self.format(arch)
        return make(self._models[name], {}, num_classes, name)

"""The contract of a search space: architectures as plain values, everything about them without building a network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from wrcor_ext.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from wrcor_ext.spaces.encoding import Encoding

A = TypeVar("A", bound=Hashable)

Counting = Literal["exact", "published"]
COUNTINGS: tuple[Counting, ...] = ("exact", "published")

# Draws before a set of limits counts as unreachable. A draw and its cost take some ten microseconds.
MAX_TRIES = 10_000

# Most architectures that are listed to number them; larger spaces have to compute them from their numbers.
MOST_LISTED = 2**20


@dataclass(frozen=True, slots=True)  # slots: a run may have a million of them
class Cost:
    """What one forward pass of one image takes.

    Attributes:
        flops: multiply-adds (one multiplication with its addition is one); `counting` says of which layers.
        params: number of trainable parameters.
        memory: peak bytes of the activations of one image at inference, in float32: of all tensors that are there at
            the fullest moment, by the rules of `wrcor_ext.spaces.liveness`. None where nobody has counted them.
        layers: convolutions and linear layers; None likewise.
    """

    flops: int
    params: int
    memory: int | None = None
    layers: int | None = None


# What a space counts, in words.
UNITS = {"flops": "FLOPs", "params": "parameters", "memory": "bytes of activations", "layers": "layers"}


@dataclass(frozen=True)
class Limits:
    """Upper bounds, inclusive; None is no bound.

    Attributes:
        flops: multiply-adds of one image, by `counting="exact"`.
        params: trainable parameters.
        memory: peak bytes of activations of one image, see `Cost`.
        layers: convolutions and linear layers.
        latency: milliseconds. A space itself knows no latency and refuses this bound;
            `wrcor_ext.timed_space.TimedSpace` adds a source of latencies to it.

    Raises:
        InputError: for a bound that is not a positive number.
    """

    flops: float | None = None
    params: float | None = None
    latency: float | None = None
    memory: float | None = None
    layers: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            bound = getattr(self, field.name)
            if bound is not None and not bound > 0:  # written so that NaN fails
                raise InputError(f"limit {field.name}={bound} is not a positive number")

    def __str__(self) -> str:
        bounds = ((field.name, getattr(self, field.name)) for field in fields(self))
        return " and ".join(f"{name} <= {bound:g}" for name, bound in bounds if bound is not None) or "no limits"

    def admits(self, cost: Cost) -> bool:
        """Whether `cost` keeps all bounds.

        Raises:
            InputError: if there is a bound on latency, or on something that nobody has counted.
        """
        self.refuse_latency()
        for name in self.counted:
            found, bound = getattr(cost, name), getattr(self, name)
            if found is None:
                raise InputError(f"{name} <= {bound:g} cannot be kept: the space does not count {UNITS[name]}")
            if found > bound:
                return False
        return True

    @cached_property
    def counted(self) -> tuple[str, ...]:
        """What there are bounds on, among what a space counts: names of `Cost`."""
        return tuple(name for name in UNITS if getattr(self, name) is not None)

    def refuse_latency(self) -> None:
        """For whoever knows costs but no latency: a bound on it must not be passed over in silence.

        Raises:
            InputError: if there is a bound on latency.
        """
        if self.latency is not None:
            raise InputError(
                f"latency <= {self.latency:g} ms cannot be kept without a source of latencies: "
                "wrap the space in wrcor_ext.timed_space.TimedSpace"
            )


class Space(ABC, Generic[A]):
    """A set of architectures of the hashable type `A`; a value without state, so every process can have its own.

    Methods that take an architecture raise `InputError` where the value is none of this space.

    Attributes:
        name: as in `wrcor_ext.spaces.get`.
        size: number of architectures, or None where they are too many to enumerate.
        default_num_classes: what `cost`, `build` and limits assume where nothing else is said.
        default_image_size: the same for the side of the square images, in pixels.
    """

    name: str
    size: int | None
    default_num_classes: int
    default_image_size: int

    @abstractmethod
    def sample(self, rng: np.random.Generator, *, limits: Limits | None = None) -> A:
        """A random architecture, uniform over those within the limits.

        Raises:
            InputError: if none within the limits was found.
        """

    @abstractmethod
    def mutate(self, arch: A, rng: np.random.Generator, *, limits: Limits | None = None) -> A:
        """A random neighbour of `arch` within the limits, never `arch` itself.

        Raises:
            InputError: if none within the limits was found.
        """

    @abstractmethod
    def parse(self, text: str) -> A:
        """The architecture that `text` describes; the inverse of `format`.

        Raises:
            InputError: for anything else, naming the offending part.
        """

    @abstractmethod
    def format(self, arch: A) -> str:
        """The published text form."""

    @abstractmethod
    def key(self, arch: A) -> str:
        """A canonical text: equal for architectures that compute the same function, different for all others."""

    @abstractmethod
    def cost(
        self, arch: A, *, counting: Counting = "exact", num_classes: int | None = None, image_size: int | None = None
    ) -> Cost:
        """All that the network which `build` returns costs, without building it.

        Args:
            arch: the architecture.
            counting: "exact" counts every multiply-add of convolutions and linear layers; "published" counts as the
                space's published tables do.
            num_classes: width of the classifier; the space's default if None.
            image_size: side of the square images in pixels; the space's default if None.
        """

    @abstractmethod
    def build(self, arch: A, *, num_classes: int | None = None, seed: int | None = None) -> nn.Module:
        """The network with its published initialisation: images [B, 3, S, S] to logits [B, num_classes].

        Args:
            arch: the architecture.
            num_classes: width of the classifier; the space's default if None.
            seed: draws the weights from a private generator with this seed, leaving torch's global one untouched;
                None draws them from the global one.
        """

    @abstractmethod
    def enumerate(self) -> Iterator[A]:
        """All architectures, in the published order where there is one.

        Raises:
            InputError: if `size` is None.
        """

    def encoding(self) -> Encoding[A]:
        """The architectures as independent choices, for strategies that learn about choices.

        Raises:
            InputError: where a space does not say what the choices are; `sample` and `mutate` are enough for others.
        """
        raise InputError(
            f"space {self.name!r} does not say which choices make up an architecture: this needs a method encoding() "
            "that returns a wrcor_ext.spaces.Encoding"
        )

    def admits(self, arch: A, *, limits: Limits | None = None) -> bool:
        """Whether `arch` keeps the limits. A space with limits of its own applies those, also to what `nth` gives.

        Raises:
            InputError: for a bound on latency, where nobody knows latencies.
        """
        return limits is None or limits.admits(self.cost(arch))

    @property
    def nth_count(self) -> int | None:
        """How many numbers `nth` knows, the `size` of the space; None where its architectures are not numbered."""
        return self.size if self.size is not None and self.size <= MOST_LISTED else None

    def nth(self, number: int) -> A:
        """The architecture at `number`, counted from 0, in the order of `enumerate`.

        All are listed at the first call; a large space overrides this and `nth_count`.

        Raises:
            InputError: for a number that is not below `nth_count`.
        """
        require_number(number, self.nth_count)
        return self._listing[number]

    @cached_property
    def _listing(self) -> list[A]:
        return list(self.enumerate())

    def neighbours(self, arch: A) -> list[A] | None:
        """All architectures that `mutate` may give for `arch`, each once; None where they are too many to list."""
        return None


def draw_within(draw: Callable[[], A], cost: Callable[[A], Cost], limits: Limits | None) -> A:
    """Draws until the limits admit the result, at most `MAX_TRIES` times.

    Raises:
        InputError: if nothing was admitted; it names the smallest costs seen.
    """
    if limits is None:
        return draw()
    rejected = []
    for _ in range(MAX_TRIES):
        arch = draw()
        found = cost(arch)
        if limits.admits(found):
            return arch
        rejected.append(found)
    least = {name: min(getattr(found, name) for found in rejected) for name in limits.counted}
    raise unreachable(f"{MAX_TRIES} random architectures", limits, least)


def unreachable(drawn: str, limits: Limits, least: Mapping[str, float]) -> InputError:
    """The error that names the smallest cost seen of each bound.

    Args:
        drawn: how many architectures have been looked at, in words.
        limits: that none of them keeps.
        least: by name of `Cost`.
    """
    smallest = " and ".join(f"{least[name]} {UNITS[name]}" for name in limits.counted)
    return InputError(f"none of {drawn} keeps {limits}: the smallest had {smallest}")


def require_number(number: int, count: int | None) -> None:
    """Checks that a space with `count` numbered architectures has one of this number.

    Raises:
        InputError: if not.
    """
    if count is None or not 0 <= number < count:
        numbered = "no architecture of this space has a number" if count is None else f"numbers are below {count}"
        raise InputError(f"there is no architecture {number}: {numbered}")


def require_count(name: str, value: object) -> None:
    """Checks that an option is an `int` of at least one.

    Raises:
        InputError: if not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name}={value!r} is not a whole number of at least 1")

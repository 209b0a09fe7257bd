"""The registry of data sources: what a specification may name."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wrcor_ext.data.statistics import Statistics
from wrcor_ext.errors import InputError


@dataclass(frozen=True)
class Request:
    """What a source is asked for.

    Attributes:
        spec: the whole specification, for error messages.
        argument: what follows the colon of the specification; empty where the source takes nothing.
        batch_size: number of images to return, at least 2.
        image_size: side of the returned square images, in pixels.
        rng: the private generator that decides which images are taken.
        data_root: where torchvision's data sets live.
        download: whether torchvision may download them there.
    """

    spec: str
    argument: str
    batch_size: int
    image_size: int
    rng: np.random.Generator
    data_root: Path | None = None
    download: bool = False


@dataclass(frozen=True, eq=False)
class Sample:
    """What a source returns, before augmentation and normalisation.

    Attributes:
        pixels: [N, 3, S, S] float32; black is 0 and, for 8-bit images, white is 1.
        labels: [N] int64.
        num_classes: number of classes of the data set.
        statistics: per-channel mean and standard deviation to normalise with, on the scale of `pixels`.
    """

    pixels: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    num_classes: int
    statistics: Statistics


Reader = Callable[[Request], Sample]


@dataclass(frozen=True)
class Source:
    """One kind of data that a specification can name.

    Attributes:
        name: the part of the specification before the colon.
        argument: the kind of the part after the colon, `"FILE"` or `"DIR"`; empty where nothing may follow.
        summary: one line for help texts.
        read: draws the images.
        augmented: whether flips and padded crops make sense for these images.
    """

    name: str
    argument: str
    summary: str
    read: Reader
    augmented: bool = True

    @property
    def syntax(self) -> str:
        """How the specification is written, such as `npz:FILE`."""
        return f"{self.name}:{self.argument}" if self.argument else self.name


_SOURCES: dict[str, Source] = {}


def register(name: str, *, summary: str, argument: str = "", augmented: bool = True) -> Callable[[Reader], Reader]:
    """Decorator: make a reader available as `name`. A second source of the same name is an error."""

    def add(read: Reader) -> Reader:
        if name in _SOURCES:
            raise ValueError(f"data source {name!r} is registered twice")
        _SOURCES[name] = Source(name, argument, summary, read, augmented)
        return read

    return add


def sources() -> tuple[Source, ...]:
    """All data sources by name, the default (`photos`) first."""
    return tuple(sorted(_SOURCES.values(), key=lambda source: (source.name != "photos", source.name)))


def resolve(spec: str) -> tuple[Source, str]:
    """Split a specification into its source and its argument.

    Raises:
        InputError: the source is unknown (near names are suggested), or its argument is missing or superfluous.
    """
    name, colon, argument = spec.partition(":")
    source = _SOURCES.get(name)
    if source is None:
        raise InputError(f"unknown data {spec!r}{_suggestion(spec, name)}; use {_allowed()}")
    if source.argument and not argument:
        raise InputError(f"data {spec!r} does not say which {source.argument}; write {source.syntax}")
    if colon and not source.argument:
        raise InputError(f"data {spec!r}: nothing may follow {source.name}; write {source.syntax}")
    return source, argument


def _allowed() -> str:
    *others, last = (source.syntax for source in sources())
    return f"{', '.join(others)} or {last}"


def _suggestion(spec: str, name: str) -> str:
    """A path given without its kind is the likeliest slip; a misspelt name the next."""
    if os.path.isdir(spec):
        return f", did you mean folder:{spec}"
    if spec.endswith(".npz"):
        return f", did you mean npz:{spec}"
    near = difflib.get_close_matches(name.lower(), _SOURCES, n=1)
    return f", did you mean {_SOURCES[near[0]].syntax}" if near else ""

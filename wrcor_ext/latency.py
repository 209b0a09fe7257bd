"""Milliseconds of a forward pass: measured on the machine at hand, or looked up in a table.

`measure` times one network. `MeasuredLatency` and `LatencyTable` answer for the architectures of a space, and are one
to whoever asks (`LatencySource`): both say how long an architecture takes, or raise.
"""

from __future__ import annotations

import copy
import csv
import json
import math
import os
import statistics
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from wrcor_ext.devices import Device, checked_device, device_name
from wrcor_ext.errors import InputError, WrcorError
from wrcor_ext.preserve import preserved
from wrcor_ext.spaces.base import Space, require_count

A = TypeVar("A", bound=Hashable)
A_contra = TypeVar("A_contra", bound=Hashable, contravariant=True)


class LatencySource(Protocol[A_contra]):
    """Whatever knows how long the architectures of one space take."""

    def milliseconds(self, arch: A_contra) -> float:
        """Milliseconds of a forward pass of one batch.

        Raises:
            InputError: for an architecture whose latency it does not know and cannot find out.
        """


def measure(
    model: nn.Module,
    *,
    image_size: int = 224,
    batch_size: int = 1,
    threads: int | None = None,
    device: Device | None = None,
    warmup: int = 5,
    repeats: int = 30,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Milliseconds of one forward pass in eval mode: the median of `repeats`, after `warmup` that are not timed.

    Accelerators are waited for before each look at the clock. The model comes back as it was; on another device, a copy
    is measured.

    Args:
        model: takes [B, 3, S, S].
        image_size: S, in pixels.
        batch_size: B; the time is that of the whole batch.
        threads: CPU threads for torch during the measurement; those it has if None.
        device: where to measure; where the model is if None.
        warmup: forwards before, which fill caches and let kernels be chosen.
        repeats: timed forwards.
        clock: seconds.

    Raises:
        InputError: for an option out of range, or a device that is not there.
    """
    for name, value in (("image_size", image_size), ("batch_size", batch_size), ("repeats", repeats)):
        require_count(name, value)
    if warmup < 0:
        raise InputError(f"warmup={warmup} is negative")
    here = _device_of(model)
    there = here if device is None else checked_device(device)
    if there != here:
        model = copy.deepcopy(model).to(there)
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    images = torch.zeros((batch_size, 3, image_size, image_size), device=there, dtype=like.dtype)
    with preserved(model), _threads(threads), torch.inference_mode():
        model.eval()
        for _ in range(warmup):
            model(images)
        seconds = [_timed(model, images, clock) for _ in range(repeats)]
    return 1000.0 * statistics.median(seconds)


class MeasuredLatency(Generic[A]):
    """Measures architectures of a space, each once; a file keeps the answers for the next time.

    Two architectures with the same key share an answer if they cost the same, too: a part that does not reach the
    output takes time all the same. An answer holds for one batch size, number of threads, device (its model name),
    image size, number of classes and version of torch.

    Args:
        space: that the architectures belong to.
        batch_size: images per forward.
        image_size: side in pixels; the space's own if None.
        num_classes: width of the classifier; the space's own if None.
        threads: CPU threads; those torch has if None.
        device: where to measure.
        cache: a JSON file, created where there is none; None remembers nothing.
        measure: what does the work; called like `measure`.

    Raises:
        InputError: for a device that is not there, or a cache that is none.
    """

    def __init__(
        self,
        space: Space[A],
        *,
        batch_size: int = 1,
        image_size: int | None = None,
        num_classes: int | None = None,
        threads: int | None = None,
        device: Device = "cpu",
        cache: str | os.PathLike[str] | None = None,
        measure: Callable[..., float] = measure,
    ) -> None:
        self._space = space
        self._batch_size = batch_size
        self._image_size = space.default_image_size if image_size is None else image_size
        self._num_classes = space.default_num_classes if num_classes is None else num_classes
        self._threads = torch.get_num_threads() if threads is None else threads
        self._device = checked_device(device)
        self._device_name = device_name(self._device)
        self._measure = measure
        self._cache = None if cache is None else Path(cache)
        self._known = {} if self._cache is None else _read_cache(self._cache)

    def milliseconds(self, arch: A) -> float:
        """Milliseconds of a forward pass of one batch: remembered, or measured now.

        Raises:
            InputError: for a value that is no architecture of the space.
            WrcorError: if the cache cannot be written.
        """
        key = self._key(arch)
        if key not in self._known:
            model = self._space.build(arch, num_classes=self._num_classes, seed=0)
            found = self._measure(
                model.to(self._device),
                image_size=self._image_size,
                batch_size=self._batch_size,
                threads=self._threads,
                device=self._device,
            )
            if self._cache is not None:
                # Read again: another process may have added to it. Of two at the same moment, one answer is lost.
                self._known = _read_cache(self._cache)
            self._known[key] = float(found)
            if self._cache is not None:
                _write_cache(self._cache, self._known)
        return self._known[key]

    def _key(self, arch: A) -> str:
        cost = self._space.cost(arch, num_classes=self._num_classes, image_size=self._image_size)
        facts = {
            "space": self._space.name,
            "flops": cost.flops,
            "params": cost.params,
            "batch_size": self._batch_size,
            "image_size": self._image_size,
            "num_classes": self._num_classes,
            "threads": self._threads,
            "device": self._device_name,
            "torch": torch.__version__,
            "key": self._space.key(arch),
        }
        return ", ".join(f"{name}={value}" for name, value in facts.items())


class LatencyTable(Generic[A]):
    """Latencies from a CSV file of the user's, with the columns `architecture` and `latency_ms`; others are ignored.

    Architectures are found by their text, else by their key; of several with one key, the slowest counts.

    Args:
        path: of the file.
        space: that the architectures belong to.

    Raises:
        InputError: if it cannot be read, lacks a column, or a line holds no architecture of the space, no positive
            number, or an architecture that came before.
    """

    def __init__(self, path: str | os.PathLike[str], space: Space[A]) -> None:
        self.path = os.fspath(path)
        self._space = space
        self._by_text: dict[str, float] = {}
        self._by_key: dict[str, float] = {}
        for line, row in self._rows():
            try:
                arch = space.parse(row["architecture"])
            except InputError as error:
                raise InputError(f"{self.path}, line {line}: {error}") from error
            latency = self._number(row["latency_ms"], line)
            text, key = space.format(arch), space.key(arch)
            if text in self._by_text:
                raise InputError(f"{self.path}, line {line}: {text} has a latency already")
            self._by_text[text] = latency
            self._by_key[key] = max(latency, self._by_key.get(key, 0.0))
        if not self._by_text:
            raise InputError(f"{self.path} holds no latency")

    def __len__(self) -> int:
        return len(self._by_text)

    def milliseconds(self, arch: A) -> float:
        """The latency in the table.

        Raises:
            InputError: for an architecture that is not in it.
        """
        text = self._space.format(arch)
        if text in self._by_text:
            return self._by_text[text]
        found = self._by_key.get(self._space.key(arch))
        if found is None:
            raise InputError(f"{self.path} holds no latency of {text}, only of {len(self)} other architectures")
        return found

    def _rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        try:
            with open(self.path, encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file, restval="")
                for column in ("architecture", "latency_ms"):
                    if column not in (reader.fieldnames or ()):
                        raise InputError(
                            f"{self.path} has no column {column!r}: architecture and latency_ms are needed"
                        )
                for row in reader:
                    yield reader.line_num, row
        except OSError as error:
            raise InputError(f"cannot read latencies from {self.path!r}: {error.strerror}") from error
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"{self.path} is no CSV file: {error}") from error

    def _number(self, text: str, line: int) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 < number < math.inf:
            raise InputError(f"{self.path}, line {line}: latency_ms is {text!r}, not a positive number of milliseconds")
        return number


def _timed(model: nn.Module, images: Tensor, clock: Callable[[], float]) -> float:
    _wait(images.device)
    began = clock()
    model(images)
    _wait(images.device)
    return clock() - began


def _wait(device: torch.device) -> None:
    """Until an accelerator has done what it was given: it works while Python goes on."""
    accelerator = torch.accelerator.current_accelerator()
    if accelerator is not None and accelerator.type == device.type:
        torch.accelerator.synchronize(device)


def _device_of(model: nn.Module) -> torch.device:
    parameter: Any = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


@contextmanager
def _threads(threads: int | None) -> Iterator[None]:
    if threads is None:
        yield
        return
    require_count("threads", threads)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _read_cache(path: Path) -> dict[str, float]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"cannot read the latency cache {path}: {error.strerror}") from error
    except ValueError:
        known = None
    if not isinstance(known, dict) or not all(isinstance(value, float) for value in known.values()):
        raise InputError(f"{path} is no latency cache: name another file, or delete it")
    return known


def _write_cache(path: Path, known: dict[str, float]) -> None:
    """All or nothing: a reader sees the old file or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise WrcorError(f"cannot write the latency cache {path}: {error.strerror}") from error

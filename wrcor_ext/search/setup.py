"""What a configuration stands for: the space, the images, and an evaluator that worker processes can make."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from wrcor_ext import data, spaces, strategies
from wrcor_ext.data import Batch
from wrcor_ext.errors import InputError
from wrcor_ext.options import flag
from wrcor_ext.search import config as configs
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.crew import MakeEvaluator
from wrcor_ext.search.evaluator import Evaluator, InProcessEvaluator
from wrcor_ext.spaces import Space
from wrcor_ext.strategies import Strategy
from wrcor_ext.strategies.interleaved import Interleaved


def space_of(config: SearchConfig, **facts: int) -> Space[Any]:
    """The space of a run, without its limits; of `facts` it gets those that it takes.

    Raises:
        InputError: for an option that the space does not take, or a value that it refuses.
    """
    given = {name: getattr(config, name) for name in configs.NETWORK_OPTIONS}
    given = {name: value for name, value in given.items() if value != getattr(configs.DEFAULTS, name)}
    # Images have a size even where the space does not ask for it; anything else that it does not take is refused.
    if config.image_size is not None:
        facts["image_size"] = config.image_size
    taken = spaces.entry(config.space).options
    return spaces.get(config.space, **given, **{name: value for name, value in facts.items() if name in taken})


def strategy_of(config: SearchConfig, space: Space[Any]) -> Strategy[Any]:
    """The strategy of a run, fresh; that of a shard proposes its part of the trials.

    Raises:
        InputError: for an option that the strategy does not take, or a space or value that it refuses.
    """
    _refuse_part(config)
    taken = strategies.get(config.strategy).options
    for name in sorted({name for other in strategies.names() for name in strategies.get(other).options} - {*taken}):
        value = getattr(config, name, None)
        if value != getattr(configs.DEFAULTS, name, None):
            takes = f"takes {' and '.join(map(flag, taken))}" if taken else "takes no option of its own"
            raise InputError(f"{flag(name)} {value} has no effect: strategy {config.strategy} {takes}")
    options = {name: getattr(config, name) for name in taken if name in configs.OPTIONS}
    part = config.part
    seed = config.seed if part is None or proposals_are_shared(config) else part.seed(config.seed)
    strategy = strategies.create(config.strategy, space, seed=seed, preference=config.objective, **options)
    if part is None or not proposals_are_shared(config):
        return strategy
    return Interleaved(strategy, part.number - 1, part.count)


def _refuse_part(config: SearchConfig) -> None:
    if config.part is None:
        return
    if not config.own_budget:
        raise InputError(f"--shard {config.part} has nothing to do: --budget {config.budget} is less than a trial each")
    if config.refine:
        raise InputError(
            f"--refine {config.refine} cannot be used with --shard: merge the shards, then refine their best by "
            "--out MERGED --resume --refine"
        )


def part_in_words(config: SearchConfig) -> str:
    """What a shard does of its search."""
    part, trials = config.part, f"{config.own_budget} of {config.budget} trials"
    assert part is not None
    if proposals_are_shared(config):
        return f"shard {part}: {trials}, those whose number modulo {part.count} is {part.number - 1}"
    return f"shard {part}: a search of its own for {trials}"


def proposals_are_shared(config: SearchConfig) -> bool:
    """Whether the shards of a search divide the very trials of the whole; if not, each is a search of its own."""
    measured = config.max_latency is not None and config.latency_table is None
    # What is within a measured limit differs from machine to machine.
    return not (strategies.get(config.strategy).factory.learns or measured)


def batch_of(config: SearchConfig, image_size: int) -> Batch:
    """The images that a run with this seed scores on.

    Raises:
        InputError: if they cannot be had.
    """
    return data.load(
        config.dataset,
        batch_size=config.batch_size,
        seed=config.seed,
        image_size=image_size,
        augment=config.augment,
        data_root=config.data_root,
        download=config.download,
    )


def evaluator_maker(config: SearchConfig, batch: Batch) -> MakeEvaluator:
    """Something picklable that makes the space and the evaluator of a run in another process."""
    # As arrays: torch would send file descriptors, which live no longer than the process that sends them.
    return partial(
        _make, config, batch.images.numpy(), batch.labels.numpy(), batch.num_classes, batch.spec, batch.sha256
    )


def _make(
    config: SearchConfig,
    images: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    num_classes: int,
    spec: str,
    sha256: str,
) -> tuple[Space[Any], Evaluator[Any]]:
    space = space_of(config, num_classes=num_classes)
    # Copies: arrays that came through shared memory cannot be written to, which torch warns of.
    batch = Batch(torch.tensor(images), torch.tensor(labels), num_classes, spec, sha256)
    return space, InProcessEvaluator(space, batch, config)

"""The command `python -m wrcor_ext.search`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

import torch
from rich.console import Console

from wrcor_ext import cli, explaining
from wrcor_ext.devices import checked_device
from wrcor_ext.ops.native import check_required
from wrcor_ext.reporting import consoles
from wrcor_ext.search import cached_pool, callbacks, folders, objectives, pools, subcommands
from wrcor_ext.search.arguments import configuration
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.environment import environment
from wrcor_ext.search.latencies import source_of
from wrcor_ext.search.limits import limited
from wrcor_ext.search.score_cache import ScoreCache
from wrcor_ext.search.session import Session
from wrcor_ext.search.setup import batch_of, space_of, strategy_of
from wrcor_ext.search.study import Study, recorded_config


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a search.

    Args:
        argv: the arguments after the program's name; those of this process if None.

    Returns:
        The exit code: 0 when the budget is spent or nothing is left to propose, 2 after an error that is the caller's
        to mend, 130 after Ctrl-C.
    """
    return cli.run(subcommands.or_else(_search), argv)


def _search(argv: Sequence[str]) -> int:
    config, folder = configuration(argv)
    if config.explain:
        explaining.show(config, config.members)
        return 0
    check_required()
    checked_device(pools.here(config).device)
    torch.set_num_threads(config.threads)
    batch = batch_of(config, config.image_size or space_of(config).default_image_size)
    whole = space_of(config, num_classes=batch.num_classes)
    latencies = source_of(config, whole, image_size=batch.images.shape[-1])
    begun = config.resume and folder is not None and recorded_config(folder) is not None
    space = limited(whole, config, latencies, begun=begun)
    objectives.check_counted(config.objective, space, config.seed)
    strategy = strategy_of(config, space)
    hooks = callbacks.made(config)
    messages = consoles.messages()
    for note in objectives.notes(config.objective):
        messages.print(f"note: {note}", markup=False)
    with pools.cluster(config, partial(messages.print, markup=False)) as packing:
        # Only now, so that nothing is left behind where any of the above refuses its input.
        folder = folder or folders.new_folder(config)
        facts = environment(batch, pools.here(config).device)
        with Study(folder, config, facts, resume=config.resume) as study:
            if study.recovered:
                messages.print(f"note: {study.recovered}", markup=False)
            for note in study.notes:
                messages.print(f"note: {note}; further scores may differ in their last digits", markup=False)
            with callbacks.watching(hooks, study, messages) as watching, _cache(config, messages) as cache:
                make_pool = partial(cached_pool.chosen, cache, packing)
                return Session(study, space, strategy, batch, latencies, make_pool, watching, messages).run()


def _cache(config: SearchConfig, messages: Console) -> AbstractContextManager[ScoreCache | None]:
    if config.cache is None:
        return nullcontext()
    return ScoreCache(Path(config.cache), lambda note: messages.print(f"note: {note}", markup=False))

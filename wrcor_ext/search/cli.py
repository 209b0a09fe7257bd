"""The command `python -m wrcor_ext.search`."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from wrcor_ext import cli, explaining
from wrcor_ext.data import Batch
from wrcor_ext.devices import checked_device
from wrcor_ext.errors import WrcorError
from wrcor_ext.latency import LatencySource
from wrcor_ext.ops.native import check_required
from wrcor_ext.options import add_flags, from_words
from wrcor_ext.repeats import seed_of
from wrcor_ext.reporting import consoles
from wrcor_ext.search import cached_pool, callbacks, driver, folders, objectives, pools, subcommands, summary
from wrcor_ext.search import config as configs
from wrcor_ext.search.config import OPTIONS, SearchConfig
from wrcor_ext.search.environment import environment
from wrcor_ext.search.evaluator import InProcessEvaluator
from wrcor_ext.search.front import Standing
from wrcor_ext.search.interruption import Interruption
from wrcor_ext.search.latencies import KeptLatency, source_of
from wrcor_ext.search.limits import limited
from wrcor_ext.search.progress import Progress
from wrcor_ext.search.refine import Leader, Scores, refine
from wrcor_ext.search.score_cache import ScoreCache
from wrcor_ext.search.setup import batch_of, part_in_words, space_of, strategy_of
from wrcor_ext.search.study import Study, recorded_config
from wrcor_ext.search.timings import EVALUATE, Timings
from wrcor_ext.search.trial import Trial
from wrcor_ext.spaces import Space
from wrcor_ext.strategies import Strategy

COMMAND = "python -m wrcor_ext.search"


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
                return _run(study, space, strategy, batch, messages, watching, make_pool, latencies)


def _run(
    study: Study,
    space: Space[Any],
    strategy: Strategy[Any],
    batch: Batch,
    messages: Console,
    watching: callbacks.Callbacks,
    make_pool: pools.Make,
    latencies: LatencySource[Any] | None,
) -> int:
    config = study.config
    evaluator = InProcessEvaluator(space, batch, pools.here(config))
    if study.complete:
        messages.print(f"{study.folder} is complete with {study.resumed} trials: nothing left to do", markup=False)
    elif study.resumed:
        messages.print(f"resuming {study.folder} after trial {study.resumed - 1}", markup=False)
    else:
        messages.print(f"searching into {study.folder}", markup=False)
    if config.part is not None and not study.complete:
        messages.print(part_in_words(config), markup=False)
    timings = Timings()
    if isinstance(latencies, KeptLatency):
        latencies.keep_in(study.journal, timings)
    with Interruption() as interruption:
        standing = study.standing() if messages.is_terminal else Standing(study.objective)  # only looked at there
        progress = Progress(messages, budget=config.own_budget, done=study.resumed, standing=standing)
        if not study.merged:
            try:
                with progress, make_pool(config, space, batch, evaluator) as pool:
                    driver.run(
                        study.journal,
                        space,
                        strategy,
                        evaluator,
                        pool,
                        objective=study.objective,
                        budget=config.own_budget,
                        group=config.group,
                        dedup=config.dedup,
                        latencies=latencies,
                        progress=callbacks.Watchers(progress, watching),
                        interruption=interruption,
                        timings=timings,
                    )
            except KeyboardInterrupt:
                pass  # Asked for twice: the running trials are dropped, all finished ones are in the journal.
        leaders, complete = study.leaders(), not config.refine
        if config.refine:
            with suppress(KeyboardInterrupt), timings.phase(EVALUATE):
                refined = _refined(leaders, space, config, batch.images.shape[-1], make_pool, interruption)
                leaders, complete = (leaders, False) if refined is None else (refined, True)
        written = study.export(leaders)
        watching.exhausted = study.journal.exhausted
    summary.show(study, leaders, written, timings, as_json=config.json)
    done = study.journal.count()
    if study.journal.exhausted and done < config.own_budget:
        messages.print(
            f"the space is exhausted after {done} of {config.own_budget} trials: "
            f"{config.strategy} has nothing more to propose",
            markup=False,
        )
    if not study.complete or not complete:
        where = "before the best were refined" if study.complete else f"after {done} of {config.own_budget} trials"
        resume = shlex.join([*COMMAND.split(), "--out", str(study.folder), "--resume"])
        messages.print(f"stopped {where}; to go on: {resume}", markup=False)
        return interruption.exit_code
    if not leaders:
        raise WrcorError(
            f"none of {study.journal.count()} candidates could be scored, most often because: "
            f"{study.journal.commonest_reason() or f'not all of {study.objective.name} are known'}"
        )
    return 0


def _refined(
    leaders: Sequence[Leader],
    space: Space[Any],
    config: SearchConfig,
    image_size: int,
    make_pool: pools.Make,
    interruption: Interruption,
) -> list[Leader] | None:
    """The leaders after `--refine`; None if that was interrupted."""

    def rescore(trials: Sequence[Trial], repeat: int) -> dict[int, Scores] | None:
        if interruption.requested:
            return None
        other = replace(config, seed=seed_of(repeat, config.seed))
        batch = batch_of(other, image_size)
        archs = [space.parse(trial.architecture) for trial in trials]
        evaluator = InProcessEvaluator(space, batch, pools.here(other))
        with make_pool(other, space, batch, evaluator) as pool:
            found = list(pool.results(archs, lambda: interruption.requested))
        scores = {trials[index].trial: evaluation.scores for index, _, evaluation in found}
        return scores if len(scores) == len(trials) else None

    return refine([one.trial for one in leaders], config.objective, rescore, config.refine)


def _cache(config: SearchConfig, messages: Console) -> AbstractContextManager[ScoreCache | None]:
    if config.cache is None:
        return nullcontext()
    return ScoreCache(Path(config.cache), lambda note: messages.print(f"note: {note}", markup=False))


def configuration(argv: Sequence[str]) -> tuple[SearchConfig, Path | None]:
    """What to search, and in which folder.

    Options have their defaults, or the values of the run that is resumed from `--out`; a YAML file overrides those,
    and the command line overrides the file.

    Returns:
        The configuration, and the folder; None stands for a new one in `runs/`.

    Raises:
        InputError: for anything that is not allowed.
    """
    words = vars(_parser().parse_args(argv))
    file = words.pop("config", None)
    layers = [configs.from_yaml(file)] if file is not None else []
    layers.append(from_words(OPTIONS, words))
    given = {name: value for layer in layers for name, value in layer.items()}
    if given.get("out") is None:
        config = configs.resolve(*layers)
        return config, folders.latest_folder(config) if config.resume else None
    folder = Path(given["out"])
    recorded = recorded_config(folder) if given.get("resume") else None
    if recorded is not None:  # what is given may make sense only together with what is recorded
        layers.insert(0, configs.from_mapping(recorded, f"the run in {folder}"))
    return configs.resolve(*layers), folder


def _parser() -> cli.Parser:
    parser = cli.Parser(
        prog=COMMAND,
        description="Searches a space for the architectures that score best without training. "
        "Without any option: NAS-Bench-201, evolution, WRCor, on photographs, in about a minute.",
        epilog="Ctrl-C stops after the running trial; the same command with --resume goes on to the same final result. "
        f"Besides searching: {subcommands.described()}",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument(
        "--config", metavar="FILE.yaml", help="read options from a YAML file (population_size: 32); flags override it"
    )
    add_flags(parser, OPTIONS, configs.DEFAULTS)
    return parser

"""The command `python -m wrcor_ext.score`: ranks any models by their scores on one batch.

It is not in `wrcor_ext/score.py`: there, importing it would hide the function `wrcor_ext.score`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence

import torch

from wrcor_ext import cli, data, explaining, listing, ranking
from wrcor_ext import options as kinds
from wrcor_ext.cost import count
from wrcor_ext.data import Batch
from wrcor_ext.errors import BackendError, InputError, WrcorError, in_words
from wrcor_ext.models import SYNTAX, NamedModel, resolve
from wrcor_ext.ops.native import check_required
from wrcor_ext.options import add_flags, checked, from_words, option, options_of
from wrcor_ext.ranking import Scored
from wrcor_ext.reporting import consoles
from wrcor_ext.results import Scores
from wrcor_ext.scoring import Measurement, finish, measure
from wrcor_ext.scoring_options import ScoringOptions
from wrcor_ext.spaces import Cost

COMMAND = "python -m wrcor_ext.score"
DEFAULT_IMAGE_SIZE = 32


@dataclasses.dataclass(frozen=True)
class ScoreConfig(ScoringOptions):
    """The options of the command.

    Raises:
        InputError: for a value that is not allowed; the message names the option.
    """

    levels: str = option(
        "auto",
        "which modules open a new level",
        kinds.text("auto, flat (no levels) or the dotted path of a container in the model"),
    )
    num_classes: int | None = option(
        None,
        "classes of the models, at least those of the images",
        kinds.optional(kinds.whole(2, 10**6), "as many as the images have"),
    )
    pretrained: bool = option(False, "published weights of timm and torchvision instead of random ones", kinds.switch())

    def __post_init__(self) -> None:
        for name, entry in OPTIONS.items():
            object.__setattr__(self, name, checked(entry, getattr(self, name), name))


OPTIONS = options_of(ScoreConfig)
DEFAULTS = ScoreConfig()


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `wrcor score`.

    Args:
        argv: the arguments after the program's name; those of this process if None.

    Returns:
        The exit code: 0, 2 after an error that is the caller's to mend, 130 after Ctrl-C.
    """
    return cli.run(_main, argv)


def _main(argv: Sequence[str]) -> int:
    words = vars(_parser().parse_args(argv))
    specs = dict.fromkeys(words.pop("specs"))
    listed, as_markdown = words.pop("list", False), words.pop("markdown", False)
    config = ScoreConfig(**from_words(OPTIONS, words))
    if listed or as_markdown:
        _show_proxies(as_json=config.json, as_markdown=as_markdown)
        return 0
    if config.explain:
        explaining.show(config)
        return 0
    if not specs:
        raise InputError(f"no model is given: write one or more of {', '.join(SYNTAX)}")
    check_required()
    models = [resolve(spec) for spec in specs]
    if config.pretrained:
        for model in models:
            if model.pretrained is None:
                raise InputError(
                    f"--pretrained: {model.spec} has no published weights, models of timm and torchvision do"
                )
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    batch = _batch(config, _image_size(models, config))
    scored, interrupted = _scored(models, batch, config)
    unscored = all(row.status != "ok" for row in scored)
    if config.json or len(scored) > 1 or not unscored:
        _show(scored, batch, config)
    if interrupted:
        return 130
    if unscored:
        first = scored[0]
        more = f" and {len(scored) - 1} more" if len(scored) > 1 else ""
        raise WrcorError(f"no score of {first.model}{more}: {first.reason}")
    return 0


def _image_size(models: Sequence[NamedModel], config: ScoreConfig) -> int:
    if config.image_size is not None:
        return config.image_size
    sizes = sorted({model.image_size for model in models if model.image_size is not None})
    if len(sizes) > 1:
        raise InputError(
            f"the models' spaces are for images of {' and '.join(map(str, sizes))} pixels: give --image-size"
        )
    return sizes[0] if sizes else DEFAULT_IMAGE_SIZE


def _batch(config: ScoreConfig, image_size: int) -> Batch:
    batch = data.load(
        config.dataset,
        batch_size=config.batch_size,
        seed=config.seed,
        image_size=image_size,
        augment=config.augment,
        data_root=config.data_root,
        download=config.download,
    )
    if config.num_classes is not None and config.num_classes < batch.num_classes:
        raise InputError(
            f"--num-classes: {config.num_classes} is less than the {batch.num_classes} classes of {config.dataset!r}"
        )
    return batch


def _scored(models: Sequence[NamedModel], batch: Batch, config: ScoreConfig) -> tuple[list[Scored], bool]:
    """The models scored so far, and whether Ctrl-C kept the others from it."""
    messages = consoles.messages()
    measured: list[_Measured] = []
    interrupted = False
    try:
        for number, model in enumerate(models, start=1):
            if messages.is_terminal:
                messages.print(f"scoring {model.spec} ({number} of {len(models)})", markup=False)
            measured.append(_measure_one(model, batch, config))
    except KeyboardInterrupt:
        messages.print(f"stopped after {len(measured)} of {len(models)} models")
        interrupted = True
    # Only here does the host wait for a GPU.
    finished = iter(finish([one.measurement for one in measured if one.measurement is not None]))
    return [_row(one, next(finished) if one.measurement else None, config) for one in measured], interrupted


@dataclasses.dataclass(frozen=True)
class _Measured:
    """A model whose passes are done, or the reason why there are none."""

    spec: str
    cost: Cost | None
    measurement: Measurement | None
    reason: str | None = None


def _measure_one(named: NamedModel, batch: Batch, config: ScoreConfig) -> _Measured:
    """Builds, measures and counts one model; what goes wrong with it alone is in the answer, not raised."""
    cost: Cost | None = None
    try:
        model = named.build(
            num_classes=config.num_classes or batch.num_classes, seed=config.seed, pretrained=config.pretrained
        )
        cost = _cost(model, batch)
        measurement = measure(
            model,
            batch.images,
            batch.labels,
            proxies=config.proxies,
            rule=config.rule,
            levels=config.levels,
            tail=config.tail,
            seed=config.seed,
            amp=config.amp,
        )
    except BackendError:
        raise  # The installation is at fault, not the model: every further one would fail as well.
    except Exception as error:  # noqa: BLE001  a model is foreign code and may raise anything: the others are still scored
        return _Measured(named.spec, cost, None, str(error) if isinstance(error, WrcorError) else in_words(error))
    return _Measured(named.spec, cost, measurement)


def _row(one: _Measured, scores: Scores | None, config: ScoreConfig) -> Scored:
    if scores is None:
        return Scored(one.spec, "failed", dict.fromkeys(config.proxies), 0.0, one.cost, one.reason)
    values = {name: scores[name].value if scores[name].status == "ok" else None for name in config.proxies}
    return Scored(one.spec, scores[config.proxies[0]].status, values, scores.seconds, one.cost, scores.reason)


def _cost(model: torch.nn.Module, batch: Batch) -> Cost | None:
    try:
        return count(model, batch.images.shape[1:])
    except InputError:  # the model may be scored nevertheless: a lazy one knows its size afterwards
        return None


def _show(scored: Sequence[Scored], batch: Batch, config: ScoreConfig) -> None:
    if not config.json:
        consoles.output().print(ranking.table(scored, config.proxies))
        return
    facts = {
        "dataset": config.dataset,
        "batch_sha256": batch.sha256,
        "batch_shape": list(batch.images.shape),
        "num_classes": config.num_classes or batch.num_classes,
        **{name: getattr(config, name) for name in ("proxies", "rule", "tail", "levels", "pretrained", "seed")},
        "models": ranking.facts(scored),
    }
    print(json.dumps(facts, indent=2))


def _show_proxies(*, as_json: bool, as_markdown: bool) -> None:
    if as_markdown:
        print(listing.markdown(), end="")
    elif as_json:
        print(json.dumps(listing.facts(), indent=2))
    else:
        consoles.output().print(listing.table())


def _parser() -> argparse.ArgumentParser:
    parser = cli.Parser(
        prog=COMMAND,
        description="Ranks models by scores that need no training, all on one and the same batch.",
        epilog="Models come before the options: wrcor score timm:resnet18 torchvision:resnet18 --proxies wrcor naswot",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("specs", nargs="*", metavar="MODEL", default=[], help=", ".join(SYNTAX))
    parser.add_argument("--list", action="store_true", help="print the known proxies and what each takes")
    parser.add_argument("--markdown", action="store_true", help="the same with formulas, as a table of Markdown")
    add_flags(parser, OPTIONS, DEFAULTS)
    return parser

"""The command `python -m wrcor_ext.score`: ranks any models by their scores on one batch.

It is not in `wrcor_ext/score.py`: there, importing it would hide the function `wrcor_ext.score`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

import torch

from wrcor_ext import cli, data, explaining, listing, votes
from wrcor_ext.comparison import compare
from wrcor_ext.data import Batch
from wrcor_ext.devices import checked_device
from wrcor_ext.errors import InputError, WrcorError
from wrcor_ext.models import SYNTAX, NamedModel, resolve
from wrcor_ext.ops.native import check_required
from wrcor_ext.options import add_flags, from_words
from wrcor_ext.ranking import Ranking, facts, ranked, table
from wrcor_ext.reporting import consoles
from wrcor_ext.score_config import DEFAULTS, OPTIONS, ScoreConfig

COMMAND = "python -m wrcor_ext.score"
DEFAULT_IMAGE_SIZE = 32


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
        explaining.show(config, config.members, repeats=config.repeats)
        return 0
    if not specs:
        raise InputError(f"no model is given: write one or more of {', '.join(SYNTAX)}")
    for name in config.proxies:
        if votes.is_vote(name) and len(specs) < 2:
            raise InputError(f"vote {name!r} over one model: a vote compares at least two")
    check_required()
    checked_device(config.device)
    models = [resolve(spec) for spec in specs]
    if config.pretrained:
        for model in models:
            if model.pretrained is None:
                raise InputError(
                    f"--pretrained: {model.spec} has no published weights, models of timm and torchvision do"
                )
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    image_size = _image_size(models, config)
    batches = [_batch(config, image_size, seed) for seed in config.seeds]
    scored, interrupted = compare(models, batches, config)
    found = ranked(scored, config.proxies)
    unscored = all(row.status != "ok" for row in found.rows)
    if config.json or len(scored) > 1 or not unscored:
        _show(found, batches, config)
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


def _batch(config: ScoreConfig, image_size: int, seed: int) -> Batch:
    batch = data.load(
        config.dataset,
        batch_size=config.batch_size,
        seed=seed,
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


def _show(found: Ranking, batches: Sequence[Batch], config: ScoreConfig) -> None:
    if not config.json:
        models = f"{len(found.rows)} model{'s' * (len(found.rows) != 1)}"
        means = f", means of {config.repeats} repeats" if config.repeats > 1 else ""
        consoles.output().print(table(found, f"{models} by {config.proxies[0]}{means}"))
        for vote, circles in found.circles.items():
            for circle in circles:
                note = f"{vote}: {', '.join(circle)} beat each other in a circle: ranked by wins minus losses"
                consoles.messages().print(note, markup=False)
        return
    first = batches[0]
    answer = {
        "dataset": config.dataset,
        "batch_sha256": first.sha256,
        "batch_shape": list(first.images.shape),
        "num_classes": config.num_classes or first.num_classes,
        **{name: getattr(config, name) for name in ("proxies", "rule", "tail", "levels", "pretrained", "seed")},
        "repeats": [{"seed": s, "batch_sha256": b.sha256} for s, b in zip(config.seeds, batches, strict=True)],
        "circles": found.circles,
        "models": facts(found),
    }
    print(json.dumps(answer, indent=2))


def _show_proxies(*, as_json: bool, as_markdown: bool) -> None:
    if as_markdown:
        print(listing.markdown(), end="")
    elif as_json:
        print(json.dumps(listing.facts(), indent=2))
    else:
        console = consoles.output()
        console.print(listing.table())
        for name, expression in votes.NAMED.items():
            console.print(f"{name} = {expression}", markup=False)


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

"""Named models on the same batches: each is built, counted and measured, and what goes wrong with one is its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from torch import nn

from wrcor_ext.cost import count
from wrcor_ext.data import Batch
from wrcor_ext.devices import checked_device
from wrcor_ext.errors import BackendError, InputError, WrcorError, in_words
from wrcor_ext.models import NamedModel
from wrcor_ext.ranking import Scored
from wrcor_ext.repeats import mean_and_error
from wrcor_ext.reporting import consoles
from wrcor_ext.results import STATUSES, Scores
from wrcor_ext.score_config import ScoreConfig
from wrcor_ext.scoring import Measurement, finish, measure
from wrcor_ext.spaces import Cost


def compare(models: Sequence[NamedModel], batches: Sequence[Batch], config: ScoreConfig) -> tuple[list[Scored], bool]:
    """Scores models, all of them on the same batches and with weights of the same seeds.

    Args:
        models: what to score.
        batches: one per repeat.
        config: how.

    Returns:
        The models scored so far, and whether Ctrl-C kept the others from it.

    Raises:
        BackendError: if a compiled library is demanded that is not there.
    """
    messages = consoles.messages()
    measured: list[_Measured] = []
    interrupted = False
    try:
        for number, model in enumerate(models, start=1):
            if messages.is_terminal:
                messages.print(f"scoring {model.spec} ({number} of {len(models)})", markup=False)
            measured.append(_measure_one(model, batches, config))
    except KeyboardInterrupt:
        messages.print(f"stopped after {len(measured)} of {len(models)} models")
        interrupted = True
    # Models on a GPU: the host waits here for all of them.
    finished = iter(finish([measurement for one in measured for measurement in one.measurements]))
    return [_row(one, [next(finished) for _ in one.measurements], config) for one in measured], interrupted


@dataclasses.dataclass(frozen=True)
class _Measured:
    """A model whose passes are done, one measurement per repeat; or the reason why there are none."""

    spec: str
    cost: Cost | None
    measurements: Sequence[Measurement] = ()
    reason: str | None = None


def _measure_one(named: NamedModel, batches: Sequence[Batch], config: ScoreConfig) -> _Measured:
    device = checked_device(config.device)
    cost: Cost | None = None
    measurements: list[Measurement] = []
    try:
        for seed, batch in zip(config.seeds, batches, strict=True):
            model = named.build(
                num_classes=config.num_classes or batch.num_classes, seed=seed, pretrained=config.pretrained
            )
            if not measurements:
                cost = _cost(model, batch)
            measurements.append(
                measure(
                    model.to(device),
                    batch.images,
                    batch.labels,
                    proxies=config.members,
                    rule=config.rule,
                    levels=config.levels,
                    tail=config.tail,
                    seed=seed,
                    amp=config.amp,
                )
            )
    except BackendError:
        raise  # The installation is at fault, not the model: every further one would fail as well.
    except Exception as error:  # noqa: BLE001  a model is foreign code and may raise anything: the others are still scored
        return _Measured(named.spec, cost, (), str(error) if isinstance(error, WrcorError) else in_words(error))
    return _Measured(named.spec, cost, measurements)


def _cost(model: nn.Module, batch: Batch) -> Cost | None:
    try:
        return count(model, batch.images.shape[1:])
    except InputError:  # the model may be scored nevertheless: a lazy one knows its size afterwards
        return None


def _row(one: _Measured, repeats: Sequence[Scores], config: ScoreConfig) -> Scored:
    if not repeats:
        nothing = dict.fromkeys(config.members)
        failed = dict.fromkeys(config.members, STATUSES[-1])
        return Scored(one.spec, failed, nothing, nothing, 0.0, one.cost, one.reason)
    results = {name: [scores[name] for scores in repeats] for name in config.members}
    statuses = {name: max((r.status for r in given), key=STATUSES.index) for name, given in results.items()}
    summaries = {
        name: mean_and_error([result.value for result in given]) if statuses[name] == "ok" else (None, None)
        for name, given in results.items()
    }
    return Scored(
        one.spec,
        statuses,
        {name: mean for name, (mean, _) in summaries.items()},
        {name: error for name, (_, error) in summaries.items()},
        sum(scores.seconds for scores in repeats),
        one.cost,
        _reason(repeats),
    )


def _reason(repeats: Sequence[Scores]) -> str | None:
    for number, scores in enumerate(repeats, start=1):
        if scores.reason is not None:
            return f"repeat {number}: {scores.reason}" if len(repeats) > 1 else scores.reason
    return None

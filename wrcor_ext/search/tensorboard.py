"""Scalars of a search for TensorBoard."""

from __future__ import annotations

import importlib.util

from wrcor_ext.errors import InputError
from wrcor_ext.search.callbacks import End, Start
from wrcor_ext.search.trial import Trial

FOLDER = "tensorboard"


class TensorBoard:
    """A callback that writes every trial's numbers into the run folder's `tensorboard`; the step is the trial's number.

    Raises:
        InputError: if TensorBoard is not installed.
    """

    def __init__(self) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            raise InputError(
                "--tensorboard: TensorBoard is not installed, pip install 'wrcor_ext[tensorboard]' does that"
            )

    def on_start(self, start: Start) -> None:
        """Opens the folder; what a killed process wrote beyond the journal is taken back."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(start.folder / FOLDER), purge_step=start.finished if start.finished else None)
        self._standing = start.standing()
        options = "\n".join(f"| {name} | {value} |" for name, value in start.config.items())
        self._writer.add_text("configuration", f"| option | value |\n|---|---|\n{options}")

    def on_trial(self, trial: Trial) -> None:
        """Writes the scores, the best so far, the costs and the time."""
        self._standing.add(trial)
        scalars: dict[str, float | None] = {
            "search/best": self._standing.height,
            "search/hypervolume": self._standing.volume,
            "cost/flops": trial.flops,
            "cost/params": trial.params,
            "search/seconds": trial.evaluation.seconds,
            **{f"proxy/{name}": score for name, score in trial.evaluation.scores.items()},
        }
        for name, scalar in scalars.items():
            if scalar is not None:
                self._writer.add_scalar(name, scalar, trial.trial)

    def on_end(self, end: End) -> None:
        """Writes what is still in memory."""
        self._writer.close()

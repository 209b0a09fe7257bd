"""Samplers of Optuna as strategies: `--strategy optuna:tpe`, or any sampler of your own.

Optuna is an extra: `pip install wrcor_ext[optuna]`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from wrcor_ext import imports
from wrcor_ext.errors import InputError, did_you_mean, in_words
from wrcor_ext.strategies.base import A, Strategy
from wrcor_ext.strategies.preference import Preference, Values
from wrcor_ext.strategies.registry import register

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial

    from wrcor_ext.spaces import Space
    from wrcor_ext.spaces.encoding import Codes

# From a seed to a sampler.
MakeSampler = Callable[[int], "BaseSampler"]

# The samplers that make something of choices without an order. CMA-ES and QMC would draw them at random.
SAMPLERS = {
    "tpe": "TPESampler",
    "gp": "GPSampler",
    "nsgaii": "NSGAIISampler",
    "nsgaiii": "NSGAIIISampler",
    "random": "RandomSampler",
    "bruteforce": "BruteForceSampler",
}

# Proposals that are no architecture, or outside the limits, before a random one within them takes their place.
TRIES = 20


class OptunaStrategy(Strategy[A]):
    """Hands over to a sampler what was proposed and how it scored, and proposes what it suggests.

    Each variable of the space's encoding is a categorical parameter, named as there; all are suggested every time, the
    inactive ones too, because several samplers need parameters that are always there. Every value of a candidate is an
    objective to be maximised: several objectives, and each member of a vote. A candidate that lacks one of them is a
    failed trial to Optuna. A suggestion that is no architecture, or not within the limits of the space, is a failed
    trial as well, and another is asked for; after `TRIES` of them a random architecture is proposed, from which the
    sampler learns as from its own. A sampler that stops the study has nothing more to suggest.

    Each call of `ask` makes a new sampler with a seed from the private generator. So nothing that samplers keep to
    themselves counts: they go by the history of trials, which is the state. It grows with every trial.

    Args:
        space: what to draw from.
        seed: of the private generator.
        sampler: makes a sampler of a seed.
        preference: says how many values a candidate has.

    Raises:
        InputError: if Optuna is not installed, or the space has no encoding.
    """

    def __init__(
        self, space: Space[A], *, seed: int, sampler: MakeSampler, preference: Preference | None = None
    ) -> None:
        super().__init__(space, seed=seed, preference=preference)
        import optuna

        self._encoding = space.encoding()
        self._make_sampler = sampler
        self._distributions: dict[str, BaseDistribution] = {
            variable.name: optuna.distributions.CategoricalDistribution(range(len(variable.choices)))
            for variable in self._encoding.variables
        }
        self._begin()

    def _begin(self) -> None:
        """An empty history."""
        import optuna

        self._storage = optuna.storages.InMemoryStorage()
        with _quiet():
            # Named: the name that Optuna would draw comes from a global generator.
            self._study = optuna.create_study(
                storage=self._storage,
                # Who hears of what others propose before anything is asked for.
                sampler=self._make_sampler(0),
                study_name=self.name,
                directions=["maximize"] * self._preference.width,
            )
        # What samplers call when nothing is left; Optuna's own works within its own loop only.
        self._study.stop = self._stop  # type: ignore[method-assign]
        self._stopped = False
        # Trials that nobody has been told of yet, oldest first: number and architecture.
        self._waiting: list[tuple[int, A]] = []
        # The finished trials as JSON, by number: they do not change any more.
        self._rows: dict[int, list[Any]] = {}

    def _stop(self) -> None:
        self._stopped = True

    def ask(self, n: int = 1) -> list[A]:
        """The next `n` suggestions; fewer, or none, once the sampler has stopped.

        Raises:
            InputError: if the sampler cannot work with these values or parameters, or no architecture within the limits
                is found.
        """
        asked: list[tuple[int, A]] = []
        with self._sampling():
            self._study.sampler = self._make_sampler(int(self._rng.integers(2**32)))
            while len(asked) < n and (suggested := self._suggested()) is not None:
                asked.append(suggested)
        self._waiting += asked
        return [arch for _, arch in asked]

    @contextmanager
    def _sampling(self) -> Iterator[None]:
        with _quiet():
            try:
                yield
            except InputError:
                raise
            except Exception as error:  # samplers are foreign code, and say in their own way what they cannot do
                raise InputError(
                    f"sampler {type(self._study.sampler).__name__} of Optuna cannot go on: {in_words(error)}"
                ) from error

    def _suggested(self) -> tuple[int, A] | None:
        for _ in range(TRIES):
            if self._stopped:
                return None
            trial = self._study.ask()
            arch = self._architecture(self._codes(trial))
            if arch is not None:
                return trial.number, arch
            self._fail(trial.number)
        arch = self._space.sample(self._rng)
        return self._told_to_try(arch), arch

    def _told_to_try(self, arch: A) -> int:
        """The number of a trial whose parameters the sampler is told instead of asked for."""
        self._study.enqueue_trial(self._parameters(self._encoding.encode(arch)))
        trial = self._study.ask()
        # Nobody needs what it would have suggested, but samplers take notes: NSGA-II, which generation a trial is of.
        _ = trial.relative_params
        self._codes(trial)
        return trial.number

    def _codes(self, trial: Trial) -> Codes:
        return tuple(
            trial.suggest_categorical(variable.name, range(len(variable.choices)))
            for variable in self._encoding.variables
        )

    def _architecture(self, codes: Codes) -> A | None:
        try:
            return self._encoding.decode(codes)
        except InputError:
            return None

    def _parameters(self, codes: Codes) -> dict[str, int]:
        return dict(zip(self._distributions, codes, strict=True))

    def _fail(self, number: int) -> None:
        from optuna.trial import TrialState

        self._study.tell(number, state=TrialState.FAIL)

    def _learn(self, results: Sequence[tuple[A, Values | None]]) -> None:
        with self._sampling():
            for arch, values in results:
                number = self._number(arch)
                known = [value for value in values or () if value is not None]
                if len(known) == self._preference.width:
                    self._study.tell(number, known)
                else:
                    self._fail(number)

    def _number(self, arch: A) -> int:
        """The trial in which an architecture was asked for; a new one if somebody else proposed it."""
        for place, (number, waiting) in enumerate(self._waiting):
            if waiting == arch:
                del self._waiting[place]
                return number
        return self._told_to_try(arch)

    def _own_state(self) -> dict[str, Any]:
        return {
            "attributes": self._storage.get_study_system_attrs(self._study_id),
            "trials": [self._row(trial) for trial in self._study.get_trials(deepcopy=False)],
            "stopped": self._stopped,
            "waiting": [[number, self._space.format(arch)] for number, arch in self._waiting],
        }

    @property
    def _study_id(self) -> int:
        return self._storage.get_study_id_from_name(self.name)

    def _row(self, trial: FrozenTrial) -> list[Any]:
        """A trial as JSON."""
        if trial.number in self._rows:
            return self._rows[trial.number]
        row = [trial.state.name, list(trial.params.values()), trial.values, trial.system_attrs]
        if trial.state.is_finished():
            self._rows[trial.number] = row
        return row

    def _restore_own(self, state: Mapping[str, Any]) -> None:
        from optuna.trial import TrialState, create_trial

        self._begin()
        with _quiet():
            for name, value in state["attributes"].items():
                self._storage.set_study_system_attr(self._study_id, name, value)
            for name, codes, values, attributes in state["trials"]:
                self._study.add_trial(
                    create_trial(
                        state=TrialState[name],
                        params=self._parameters(tuple(codes)),
                        distributions=self._distributions,
                        values=values,
                        system_attrs=attributes,
                    )
                )
        self._stopped = bool(state["stopped"])
        self._waiting = [(int(number), self._space.parse(text)) for number, text in state["waiting"]]


@register(
    "optuna",
    paper="Akiba et al., Optuna: a next-generation hyperparameter optimization framework, KDD 2019 (arXiv 1907.10902)",
    argument="sampler",
)
class NamedSampler(OptunaStrategy[A]):
    """A sampler of Optuna by name, such as `optuna:tpe`, or your own as `optuna:package.module:Sampler`.

    Args:
        space: what to draw from.
        seed: of the private generator.
        sampler: one of `SAMPLERS`, or a reference to a class, or a function, that makes a sampler when called with
            `seed=`.
        preference: says how many values a candidate has.

    Raises:
        InputError: for an unknown name, or if Optuna is not installed.
    """

    def __init__(self, space: Space[A], *, seed: int, sampler: str, preference: Preference | None = None) -> None:
        require_optuna(f"strategy {self.name}:{sampler}")
        super().__init__(space, seed=seed, sampler=_maker(sampler), preference=preference)


def require_optuna(who: str) -> None:
    """Checks that Optuna is there.

    Raises:
        InputError: if not; it says how to install it.
    """
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise InputError(f"{who} needs Optuna: pip install 'wrcor_ext[optuna]'") from error


def _maker(name: str) -> MakeSampler:
    import optuna

    if name in SAMPLERS:
        known: Any = getattr(optuna.samplers, SAMPLERS[name])
        return lambda seed: known(seed=seed)
    if not imports.is_reference(name):
        raise InputError(
            f"unknown sampler {name!r} of strategy optuna: {did_you_mean(name, SAMPLERS)}known are "
            f"{', '.join(SAMPLERS)}, and your own as package.module:attribute"
        )
    own: Any = imports.load(name)

    def make(seed: int) -> BaseSampler:
        try:
            sampler = own(seed=seed)
        except Exception as error:  # foreign code: whatever it raises, it made no sampler
            raise InputError(f"sampler {name} of strategy optuna cannot be made: {in_words(error)}") from error
        if not isinstance(sampler, optuna.samplers.BaseSampler):
            raise InputError(f"sampler {name} of strategy optuna makes a {type(sampler).__name__}, not a BaseSampler")
        return sampler

    return make


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's log lines and its notes on experimental parts, which are for whoever calls it by hand."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)

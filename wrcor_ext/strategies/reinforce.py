"""REINFORCE: a policy over the choices of a space, moved towards what was rewarded."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

from wrcor_ext.errors import InputError
from wrcor_ext.strategies.adam import Adam
from wrcor_ext.strategies.base import A, Strategy
from wrcor_ext.strategies.policy import FactorisedPolicy
from wrcor_ext.strategies.preference import Preference, Values
from wrcor_ext.strategies.registry import register
from wrcor_ext.strategies.rewards import WarmUp

if TYPE_CHECKING:
    from wrcor_ext.spaces import Codes, Space

# Draws of the policy before none is expected to be an architecture within the limits: some ten seconds.
MAX_DRAWS = 100_000

# Draws that it may take to find a valid one; a policy that needs more is led back. They take some ten milliseconds.
EASY_DRAWS = 100


@dataclass(frozen=True)
class Draw(Generic[A]):
    """A candidate that was asked for.

    Attributes:
        arch: the architecture.
        codes: as drawn from the policy; None for a random architecture of the warm-up.
        number: of draws until this one was valid.
    """

    arch: A
    codes: Codes | None = None
    number: int = 1

    @property
    def credit(self) -> float:
        """What is added to the reward of a candidate that was hard to find."""
        return max(0.0, math.log(self.number / EASY_DRAWS))


@register(
    "reinforce",
    paper="Williams, Simple statistical gradient-following algorithms for connectionist reinforcement learning, "
    "Machine Learning 1992",
    options=("learning_rate", "baseline_decay", "warm_up"),
)
class Reinforce(Strategy[A]):
    """REINFORCE: a factorised policy over the space's choices is moved towards candidates of high reward.

    As in the WRCor paper (arXiv 2507.08841). The space's encoding says what the choices are, and a
    `FactorisedPolicy` draws each of them; Adam moves its logits along (reward - baseline) * gradient of the logarithm
    of the draw's probability; the baseline is an exponential moving average of the rewards before.

    The first `warm_up` candidates are random ones of the space and do not move the policy: they decide the means and
    standard deviations by which later values become z-scores, and the reward is the mean z-score of a candidate's
    values. The baseline begins at 0, the mean of the warm-up. A candidate without a reward is skipped and counted.

    What the policy draws may be no architecture, or outside the limits: it is drawn again. Candidates thus follow the
    policy conditioned on being valid, whose log-probability is that of the draw less the logarithm of the probability
    of any valid draw. The gradient is that of the first part, of the draw, as if invalid draws did not happen. What is
    left out would be multiplied by reward - baseline and is the same for every draw: it vanishes on average where the
    baseline is the mean reward. For the same reason nothing keeps the policy near what is valid: the best candidates
    often lie at a limit, and the policy may drift beyond it until it draws next to nothing else. A candidate that took
    n > 100 draws is therefore credited log(n / 100) on top of its reward. The number of draws does not depend on which
    valid one ends them, so on average this moves the policy along the gradient of the logarithm of the probability of
    valid draws, the more the rarer they are.

    Each candidate makes one step, in the order of asking, also where several were asked for together; the gradient is
    then that of the policy as it is by then, a few steps after the draw.

    Args:
        space: what to draw from; it needs an encoding.
        seed: of the private generator.
        learning_rate: of Adam.
        baseline_decay: the share of the baseline that stays with each reward, from 0 to below 1.
        warm_up: random candidates at the beginning, at least 2.
        preference: says how many values a candidate has; each counts as better the higher it is.

    Raises:
        InputError: for an option out of range, or a space without an encoding.
    """

    def __init__(
        self,
        space: Space[A],
        *,
        seed: int,
        learning_rate: float = 1e-3,
        baseline_decay: float = 0.9,
        warm_up: int = 100,
        preference: Preference | None = None,
    ) -> None:
        super().__init__(space, seed=seed, preference=preference)
        if not 0 < learning_rate < float("inf"):
            raise InputError(f"learning_rate {learning_rate}: must be a positive number")
        if not 0 <= baseline_decay < 1:
            raise InputError(f"baseline_decay {baseline_decay}: must be at least 0 and below 1")
        if warm_up < 2:
            raise InputError(f"warm_up {warm_up}: must be at least 2, one candidate has no standard deviation")
        self._encoding = space.encoding()
        self._policy = FactorisedPolicy(self._encoding)
        self._adam = Adam(len(self._policy.logits), learning_rate)
        self._baseline_decay = baseline_decay
        self._baseline = 0.0
        self._warm_up = WarmUp(warm_up, self._preference.width)
        self._samples_left = warm_up
        self._skipped = 0
        # Asked for and not told yet, oldest first.
        self._pending: deque[Draw[A]] = deque()

    @property
    def skipped(self) -> int:
        """Candidates so far that had no reward, those of the warm-up included."""
        return self._skipped

    def ask(self, n: int = 1) -> list[A]:
        """Random architectures first, draws of the policy after them.

        Raises:
            InputError: if the policy draws nothing that is an architecture within the limits.
        """
        asked = [self._next() for _ in range(n)]
        self._pending.extend(asked)
        return [draw.arch for draw in asked]

    def _next(self) -> Draw[A]:
        if self._samples_left > 0:
            self._samples_left -= 1
            return Draw(self._space.sample(self._rng))
        refusal = None
        for number in range(1, MAX_DRAWS + 1):
            codes = self._policy.draw(self._rng)
            try:
                return Draw(self._encoding.decode(codes), codes, number)
            except InputError as error:
                refusal = error
        raise InputError(
            f"none of {MAX_DRAWS} draws of the policy is an architecture of the space within its limits; of the last "
            f"one: {refusal}"
        )

    def _learn(self, results: Sequence[tuple[A, Values | None]]) -> None:
        for arch, values in results:
            drawn = self._drawn(arch)
            if not self._warm_up.over:
                self._skipped += values is None
                self._warm_up.see(values)
                continue
            reward = self._warm_up.reward(values)
            if reward is None:
                self._skipped += 1
                continue
            # Other codes than those drawn may stand for the same architecture, and `encode` may give those.
            codes = self._encoding.encode(arch) if drawn.codes is None else drawn.codes
            advantage = reward - self._baseline + drawn.credit
            self._policy.move(self._adam.step(advantage * self._policy.gradient(codes)))
            self._baseline += (1 - self._baseline_decay) * (reward - self._baseline)

    def _drawn(self, arch: A) -> Draw[A]:
        """Takes what was drawn when it was asked for the architecture off the list of what is pending."""
        for draw in self._pending:
            if draw.arch == arch:
                self._pending.remove(draw)
                return draw
        return Draw(arch)

    def _own_state(self) -> dict[str, Any]:
        return {
            "samples_left": self._samples_left,
            "warm_up": self._warm_up.state(),
            "logits": self._policy.logits.tolist(),
            "adam": self._adam.state(),
            "baseline": self._baseline,
            "skipped": self._skipped,
            "pending": [[self._space.format(draw.arch), draw.codes, draw.number] for draw in self._pending],
        }

    def _restore_own(self, state: Mapping[str, Any]) -> None:
        self._adam.restore(state["adam"])
        self._policy.restore(state["logits"])
        self._warm_up.restore(state["warm_up"])
        self._samples_left = int(state["samples_left"])
        self._baseline = float(state["baseline"])
        self._skipped = int(state["skipped"])
        self._pending = deque(
            Draw(self._space.parse(text), None if codes is None else tuple(codes), int(number))
            for text, codes, number in state["pending"]
        )

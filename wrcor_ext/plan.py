"""Groups what proxies need into the fewest forwards and backwards, and says so in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from wrcor_ext.needs import Need, OwnPasses, Probe, ResponseSum
from wrcor_ext.proxies import Proxy


@dataclass(frozen=True)
class Plan:
    """The passes that a set of proxies takes.

    Attributes:
        wanted: the proxies.
        responses: sums over the responses of the shared forward.
        probes: what else watches it.
        own: needs that run the network their own way, one after the other, and those of the proxies that each answers.
    """

    wanted: tuple[Proxy, ...]
    responses: tuple[ResponseSum, ...]
    probes: tuple[Probe, ...]
    own: Mapping[OwnPasses, frozenset[Need]]

    @property
    def shared(self) -> bool:
        """Whether there is a shared forward of the images."""
        return bool(self.responses or self.probes)

    @property
    def image_gradients(self) -> bool:
        """Whether the shared forward is followed by a backward of the sum of all outputs, to the images."""
        return any(probe.image_gradients for probe in self.probes)

    @property
    def class_gradients(self) -> bool:
        """Whether it is followed by such a backward for single classes, too."""
        return any(probe.class_gradients for probe in self.probes)

    @property
    def weight_gradients(self) -> bool:
        """Whether the backward of the loss goes to the weights."""
        return any(probe.weight_gradients for probe in self.probes)

    @property
    def response_gradients(self) -> bool:
        """Whether the backward of the loss goes to the responses."""
        return any(need.needs_gradients for need in self.responses)

    @property
    def loss_gradients(self) -> bool:
        """Whether there is a backward of the loss."""
        return self.weight_gradients or self.response_gradients

    @property
    def has_graph(self) -> bool:
        """Whether any backward follows the shared forward."""
        return self.loss_gradients or self.image_gradients

    @property
    def level_weighted(self) -> bool:
        """Whether `tail` makes a difference."""
        return any(need.level_weighted for need in self.responses)

    @property
    def forwards(self) -> int:
        """Forwards over the batch in all."""
        return int(self.shared) + sum(need.forwards for need in self.own)

    @property
    def backwards(self) -> int:
        """Backwards over the batch in all."""
        return int(self.image_gradients) + int(self.loss_gradients) + sum(need.backwards for need in self.own)

    def explain(self) -> list[str]:
        """The plan in words, one line per pass and one for the total."""
        lines = []
        if self.shared:
            graph = "with" if self.has_graph else "without"
            backwards = []
            if self.loss_gradients:
                ends = [("responses", self.response_gradients), ("weights", self.weight_gradients)]
                backwards.append(f"backward of the loss to {' and '.join(end for end, there in ends if there)}")
            if self.image_gradients:
                each = ", once for each class" if self.class_gradients else ""
                backwards.append(f"backward of the summed outputs to the images{each}")
            members = self._names({*self.responses, *self.probes})
            lines.append("; ".join([f"forward of the images {graph} a graph", *backwards]) + f": {members}")
        lines += [
            f"{passes_in_words(n.forwards, n.backwards)} of {n.on}: {self._names(of)}" for n, of in self.own.items()
        ]
        return [*lines, f"together {passes_in_words(self.forwards, self.backwards)}"]

    def explain_thrift(self) -> list[str]:
        """What the shared pass costs where it does not fit into memory, in words."""
        if not self.shared:
            return []
        lines = []
        if self.has_graph:
            lines.append("where memory is short: 1 forward more, block by block in the backward")
        pairs = []
        if self.responses:
            pairs.append(f"{passes_in_words('k - 1', 'k - 1' if self.response_gradients else 0)} for all pairs of them")
        if self.probes:
            pairs.append(f"{passes_in_words(1, int(self.image_gradients) + int(self.weight_gradients))} for the rest")
        each = int(self.image_gradients) + int(self.loss_gradients)
        norms = "1 forward more if there are batch-norms"
        if each:
            norms += f", and for each of them {passes_in_words(each, each)}"
        start = "else" if lines else "where memory is short:"
        return [*lines, f"{start} in k micro-batches (k = 4, 8, ...): 1 forward, {', '.join(pairs)}; {norms}"]

    def _names(self, needs: AbstractSet[Need]) -> str:
        return ", ".join(proxy.name for proxy in self.wanted if needs & set(proxy.needs))


def plan(wanted: Sequence[Proxy]) -> Plan:
    """The plan for these proxies: equal needs once, everything that can watch one forward in one forward."""
    needs = list(dict.fromkeys(need for proxy in wanted for need in proxy.needs))
    return Plan(
        tuple(wanted),
        tuple(need for need in needs if isinstance(need, ResponseSum)),
        tuple(need for need in needs if isinstance(need, Probe)),
        _merged([need for need in needs if isinstance(need, OwnPasses)]),
    )


def _merged(needs: Sequence[OwnPasses]) -> dict[OwnPasses, frozenset[Need]]:
    """The needs to be measured instead, and those that each answers."""
    answered: dict[OwnPasses, frozenset[Need]] = {}
    for need in needs:
        of: frozenset[Need] = frozenset({need})
        for earlier in list(answered):
            both = earlier.merged(need)
            if both is not None:
                of |= answered.pop(earlier)
                need = both
        answered[need] = of
    return answered


def passes_in_words(forwards: int | str, backwards: int | str) -> str:
    """Such as `2 forwards and 1 backward`; a text stands for several."""
    if not forwards and not backwards:
        return "no pass"
    parts = [(forwards, "forward"), (backwards, "backward")]
    return " and ".join(f"{n} {word}{'s' if n != 1 else ''}" for n, word in parts if n)

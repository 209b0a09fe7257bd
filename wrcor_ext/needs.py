"""What a proxy asks to be measured. Equal needs of several proxies are measured once, in as few passes as possible.

Three kinds: a `ResponseSum` and a `Probe` take part in the one forward of the images, and in the backwards that follow
it; `OwnPasses` run the network their own way. `wrcor_ext.plan` groups them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from wrcor_ext.errors import InputError, NotApplicableError
from wrcor_ext.recorder import Rule

Kind = Literal["activation", "gradient"]
Measure = Literal["correlation", "hamming"]
Loss = Callable[[Any, Tensor], Tensor]
WeightLayer = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear


class Need:
    """Base class; every need is a frozen dataclass, so that equal ones are one."""

    needs_labels: bool = False


@dataclass(frozen=True)
class ResponseSum(Need):
    """A matrix K [N, N] float64 summed over the responses of one forward (and backward).

    Attributes:
        kinds: which responses take part.
        measure: `"correlation"` adds abs(C(x)); `"hamming"` adds B B^T + (1-B)(1-B)^T with B = (x > 0).
        level_weighted: a response of level l counts 2^l times instead of once.
    """

    kinds: frozenset[Kind]
    measure: Measure
    level_weighted: bool = False

    @property
    def needs_gradients(self) -> bool:
        """Whether it takes part in the backward of the loss."""
        return "gradient" in self.kinds

    @property
    def needs_labels(self) -> bool:  # type: ignore[override]
        """Whether the loss, and so a label per image, is needed."""
        return self.needs_gradients


@dataclass(frozen=True)
class Subject:
    """A model that is being scored, with its batch.

    Attributes:
        model: in scoring mode: batch-norms in train mode, everything else in eval mode, no parameter with gradients.
            Whatever is changed about modes, `requires_grad` and buffers is put back afterwards.
        images: [N, ...] on the model's device, in its precision; not the caller's memory.
        labels: [N] int64 class indices, or what the caller's `loss` takes.
        rule: what counts as a response.
        blocks: the modules that open level 0, 1, ...
        loss: `loss(output, labels)`, a scalar.
        seed: of the global random generators; each pass begins with them freshly seeded.
    """

    model: nn.Module
    images: Tensor
    labels: Tensor | None
    rule: Rule
    blocks: Sequence[nn.Module]
    loss: Loss
    seed: int
    check_logits: Callable[[Tensor], None] = lambda logits: None

    def loss_of(self, output: Any) -> Tensor:
        """The loss of the model's output, a scalar tensor.

        Raises:
            InputError: for an output without logits, a label that they do not have, a loss that is no scalar.
        """
        assert self.labels is not None  # refused before the first pass
        if self.loss is F.cross_entropy:
            try:
                output = logits_of(output)
            except NotApplicableError as error:
                raise InputError(f"{error}: give loss=, a function of (output, labels)") from error
            self.check_logits(output)
        value: object = self.loss(output, self.labels)
        if not isinstance(value, Tensor) or value.numel() != 1:
            found = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise InputError(f"loss returned {found}: a scalar tensor is needed")
        return value


@dataclass(frozen=True)
class Seen:
    """What the shared forward and its backwards gave a probe.

    Attributes:
        output: of the model, without its graph.
        image_gradient: [N, ...], gradient of the sum of all outputs with respect to the images, if asked for, they are
            floating point and the outputs are logits.
        weight_gradients: gradient of the loss with respect to the weight of each of `weight_layers`, if asked for.
    """

    output: Any
    image_gradient: Tensor | None
    weight_gradients: Sequence[Tensor] | None


class Watch(ABC):
    """A probe at work: entered around the forward; hooks that it registers are its own to remove on leaving.

    Attributes:
        listening: True during the backward of the loss only; hooks on tensors fire in other backwards, too.
        loss_scale: what the loss, and with it every gradient that a hook gets, is multiplied by (`amp="float16"`).
    """

    def __init__(self) -> None:
        self.listening = False
        self.loss_scale = 1.0

    def __enter__(self) -> Watch:
        return self

    def __exit__(  # noqa: B027  a watch without hooks has nothing to remove
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Removes what `__enter__` attached."""

    def each_class(self, logits: Tensor, images: Tensor, total: Tensor) -> None:  # noqa: B027  most do not ask for it
        """Runs backwards from the logits of single classes to the images; the graph is still needed afterwards.

        Args:
            logits: [N, classes] for most models.
            images: [N, ...], the leaf that the graph begins with.
            total: the gradient of the sum of all logits, like the images.
        """

    @abstractmethod
    def finish(self, subject: Subject, seen: Seen) -> Any:
        """The result, after the last backward: tensors may stay on the device, but should be small."""


class Probe(Need, ABC):
    """A need that watches the shared forward of the images; a frozen dataclass.

    Attributes:
        image_gradients: whether the gradient of the sum of all outputs with respect to the images is wanted.
        class_gradients: whether its watch runs a backward for each class, beside that of the sum, which it asks for.
        weight_gradients: whether the gradients of the loss with respect to weights are wanted.
        divides: whether the result is the same where the batch comes in parts: the watch is then entered around the
            forward of each, with its backward before the next, and finishes after the last.
    """

    divides: ClassVar[bool] = False
    image_gradients: ClassVar[bool] = False
    class_gradients: ClassVar[bool] = False
    weight_gradients: ClassVar[bool] = False

    @abstractmethod
    def watch(self, subject: Subject) -> Watch:
        """A watch for one pass over `subject`."""

    @property
    def needs_labels(self) -> bool:  # type: ignore[override]
        """Whether the loss, and so a label per image, is needed."""
        return self.weight_gradients


class OwnPasses(Need, ABC):
    """A need that runs the network its own way; a frozen dataclass.

    Attributes:
        forwards: passes over the batch, or as many images as it has.
        backwards: likewise.
        on: what they see, in a few words, for `--explain`.
        channels_last: whether the images may come in that layout, because it is faster on a CPU.
    """

    forwards: ClassVar[int] = 1
    backwards: ClassVar[int] = 0
    on: ClassVar[str] = "the images"
    channels_last: ClassVar[bool] = False

    def merged(self, other: OwnPasses) -> OwnPasses | None:
        """A need whose result answers both in fewer passes, if there is one."""
        return None

    @abstractmethod
    def measure(self, subject: Subject) -> Any:
        """The result; modes, `requires_grad` and buffers of the model may be changed and are put back afterwards.

        Raises:
            NotApplicableError: if the definition makes no sense for this model; the message says why.
        """


@dataclass(frozen=True)
class Skipped:
    """In place of a result: why there is none."""

    reason: str
    traceback: str | None = None


def logits_of(output: Any) -> Tensor:
    """The logits of a model's output; Hugging Face models wrap them.

    Raises:
        NotApplicableError: if there are none.
    """
    logits = getattr(output, "logits", output)
    if not isinstance(logits, Tensor):
        raise NotApplicableError(f"the model returns {type(logits).__name__}, not logits")
    return logits


def weight_layers(model: nn.Module) -> list[WeightLayer]:
    """The convolutions and linear layers, in order of `modules()`: what pruning scores sum over."""
    return [m for m in model.modules() if isinstance(m, WeightLayer)]


def weights_of(model: nn.Module) -> list[Tensor]:
    """The weights of `weight_layers`: what their next forward works with.

    Inside `torch.nn.utils.parametrize.cached()`, or a parametrized weight is another one at every look.

    Raises:
        NotApplicableError: if a hook makes a weight anew in each forward, so that there is none to take hold of.
    """
    layers = weight_layers(model)
    for layer in layers:
        if "weight" not in layer._parameters and not is_parametrized(layer, "weight"):
            raise NotApplicableError(
                f"a hook makes the weight of a {type(layer).__name__} anew in each forward, as pruning and "
                "torch.nn.utils.weight_norm do"
            )
    return [layer.weight for layer in layers]

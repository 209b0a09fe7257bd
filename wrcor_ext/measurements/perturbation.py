"""How far a little noise on the input moves the feature map before global pooling."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from wrcor_ext.errors import NotApplicableError
from wrcor_ext.measurements.feature_map import feature_map
from wrcor_ext.measurements.norms import NormsAsIdentity
from wrcor_ext.needs import OwnPasses, Subject

# Standard deviation of the perturbation, of images of unit variance.
SCALE = 0.01
_LOG_OFFSET = 1e-6
_VARIANCE_OFFSET = 1e-5


@dataclass(frozen=True)
class Perturbation:
    """What a perturbation does to the feature map F of a base point x. Tensors are float64 scalars on the device.

    Attributes:
        distance: L1 norm of F(x + 0.01 e) - F(x), over the whole batch.
        image_cosines: sum over images of the absolute cosine similarity of F(x + 0.01 e) and F(x).
        position_cosines: the same over images and positions, between the vectors of channels.
        log_norm_scale: sum over batch-norms of log(sqrt(mean running variance) + 1e-6), after fresh running statistics
            have seen both inputs; None if some batch-norm keeps none.
    """

    distance: Tensor
    image_cosines: Tensor
    position_cosines: Tensor
    log_norm_scale: Tensor | None


@dataclass(frozen=True)
class PerturbedFeatures(OwnPasses):
    """Two forwards, of a base point and of the same with noise: a `Perturbation`.

    Not shared with other proxies' forward of the images: under autocast that one rounds as coarsely as the perturbation
    is small, and its feature maps would have to be kept until the last pass.

    Attributes:
        base: `"noise"` draws the base point from a normal distribution, before the perturbation; `"images"` takes the
            images.
        norms: False runs both forwards with batch-norms as identity.
    """

    forwards: ClassVar[int] = 2

    base: Literal["noise", "images"]
    norms: bool = True

    @property
    def on(self) -> str:  # type: ignore[override]
        """For `--explain`."""
        point = "noise and of perturbed noise" if self.base == "noise" else "the images and of perturbed images"
        return point if self.norms else f"{point} without batch-norms"

    def measure(self, subject: Subject) -> Perturbation:
        """Runs the perturbed point first: the order in which running statistics see the two."""
        model, images = subject.model, subject.images
        point = normal_noise(images) if self.base == "noise" else images
        perturbed = point + SCALE * normal_noise(images)
        norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
        for norm in norms:
            norm.reset_running_stats()
        with nullcontext() if self.norms else NormsAsIdentity():
            moved, still = feature_map(model, perturbed).double(), feature_map(model, point).double()
        return Perturbation(
            (moved - still).abs().sum(),
            F.cosine_similarity(moved.flatten(1), still.flatten(1)).abs().sum(),
            F.cosine_similarity(moved, still).abs().sum(),
            _log_norm_scale(norms, images),
        )


@dataclass(frozen=True)
class NoisyViews(OwnPasses):
    """Two forwards, of two noisy views of the images: how well their standardised features correlate.

    The result is -(sum of (c_ii - 1)^2 + 0.005 sum of c_ij^2, i != j), a float64 scalar on the device, where c is the
    cross-correlation of all D features of the two views, [D, D].
    """

    forwards: ClassVar[int] = 2
    on: ClassVar[str] = "two noisy views of the images"

    def measure(self, subject: Subject) -> Tensor:
        """Both noises are drawn before the first forward."""
        model, images = subject.model, subject.images
        views = [images + SCALE * noise for noise in (normal_noise(images), normal_noise(images))]
        a, b = (_standardised(feature_map(model, view).double().flatten(1)) for view in views)
        n = len(images)
        diagonal = (a * b).sum(0) / n
        # c itself would be D x D, gigabytes for a large feature map: its sum of squares is that of two N x N matrices.
        squares = ((a @ a.T) * (b @ b.T)).sum() / n**2
        return -((diagonal - 1).square().sum() + 0.005 * (squares - diagonal.square().sum()))


def normal_noise(images: Tensor) -> Tensor:
    """Normal noise [N, ...] like the images, the next draw of the global generator, whatever their memory layout.

    Raises:
        NotApplicableError: if the images are no floating-point numbers.
    """
    if not images.is_floating_point():
        raise NotApplicableError(f"images of {images.dtype} cannot be perturbed: floating-point numbers are needed")
    return torch.randn(images.shape, dtype=images.dtype, device=images.device)


def _standardised(features: Tensor) -> Tensor:
    """[N, D] with mean 0 and variance 1 over the images; a feature that does not vary becomes zero."""
    return F.batch_norm(features, None, None, training=True, eps=_VARIANCE_OFFSET)


def _log_norm_scale(norms: Sequence[_BatchNorm], like: Tensor) -> Tensor | None:
    total = torch.zeros((), dtype=torch.float64, device=like.device)
    for norm in norms:
        if norm.running_var is None:
            return None
        total += (norm.running_var.double().mean().sqrt() + _LOG_OFFSET).log().to(like.device)
    return total

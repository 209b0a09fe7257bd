"""How far noise on a random input moves the feature map of a network with random weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from wrcor_ext.measurements.feature_map import feature_map
from wrcor_ext.measurements.frozen_norms import FrozenNorms
from wrcor_ext.measurements.gaussian_weights import gaussian_weights
from wrcor_ext.measurements.perturbation import SCALE, normal_noise
from wrcor_ext.needs import OwnPasses, Subject


@dataclass(frozen=True)
class Sensitivity:
    """Float64 scalars on the device.

    Attributes:
        distance: mean over images of the Frobenius norm of F(x + 0.01 e) - F(x).
        log_norm_scale: sum over batch-norms of the logarithm of the root of their input's mean variance, at x. One
            whose input does not vary, on a branch that nothing reaches, rescales nothing and is left out.
    """

    distance: Tensor
    log_norm_scale: Tensor


@dataclass(frozen=True)
class GaussianSensitivity(OwnPasses):
    """A `Sensitivity`: F is the feature map before global pooling, weights, x and e are standard normal."""

    forwards = 2
    on = "noise and of perturbed noise with random weights"

    @parametrize.cached()
    def measure(self, subject: Subject) -> Sensitivity:
        """Draws the weights, x and e, in this order; as many x as there are images, of their size.

        Raises:
            NotApplicableError: if the model pools no feature map.
        """
        model = subject.model
        with gaussian_weights(model):
            point = normal_noise(subject.images)
            perturbed = point + SCALE * normal_noise(subject.images)
            with FrozenNorms() as norms:
                still = feature_map(model, point).double()
            moved = feature_map(model, perturbed).double()
        scales = [variance.double().mean().sqrt() for _, variance in norms.statistics]
        logs = [torch.where(scale == 0, 0, scale.log()) for scale in scales]
        zero = torch.zeros((), dtype=torch.float64, device=still.device)
        return Sensitivity((moved - still).flatten(1).norm(dim=1).mean(), sum(logs, zero))

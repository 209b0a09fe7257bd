"""The blocks that AZ-NAS looks at, and their features as a matrix."""

from __future__ import annotations

from torch import Tensor, nn

from wrcor_ext.needs import Subject

NO_BLOCKS = "the network has no blocks whose features could be compared: give levels=, a container or its modules"


def primary_blocks(subject: Subject) -> list[nn.Module]:
    """The blocks that open levels, without the network's last batch-norm and activation (`lastact`)."""
    last = getattr(subject.model, "lastact", None)
    return [block for block in subject.blocks if block is not last]


def is_feature_map(features: object) -> bool:
    """Whether these are features with positions: [N, C, H, W] or tokens [N, T, C]; a classifier's are not."""
    return (
        isinstance(features, Tensor) and features.is_floating_point() and features.dim() >= 3 and features.numel() > 0
    )


def by_channel(features: Tensor) -> Tensor:
    """[C, M] with one column per image and position, from [N, C, ...] or tokens [N, T, C]."""
    channels = features.dim() - 1 if features.dim() == 3 else 1
    return features.movedim(channels, 0).flatten(1)

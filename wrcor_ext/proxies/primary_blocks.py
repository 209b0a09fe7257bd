"""The four proxies of AZ-NAS, which look at a network's primary blocks.

Blocks are the modules that open levels (`wrcor_ext.levels.resolve`): cells, residual blocks, transformer layers. The
paper feeds noise; here the blocks see the images, so that expressivity and progressivity share the forward of the
other proxies.
"""

from __future__ import annotations

import math

from torch import Tensor

from wrcor_ext.measurements.block_entropies import BlockEntropies
from wrcor_ext.measurements.block_jacobians import BlockJacobians
from wrcor_ext.measurements.cost import MultiplyAdds
from wrcor_ext.measurements.spectra import Spectra
from wrcor_ext.proxies.registry import ProxyValue, finite, register

_PAPER = "AZ-NAS, arXiv 2403.19232"
_CONSTANT = "the features of a block do not vary, or are not finite"


@register("expressivity", needs=BlockEntropies(), paper=_PAPER)
def expressivity(entropies: Spectra) -> ProxyValue:
    """Sum over blocks of the entropy of the features' normalised PCA eigenvalues."""
    return finite(entropies.values.sum(), _CONSTANT, blocks=len(entropies.values))


@register("progressivity", needs=BlockEntropies(), paper=_PAPER)
def progressivity(entropies: Spectra) -> ProxyValue:
    """Smallest gain of that entropy from one block to the next."""
    gains = entropies.values.diff()
    if len(gains) == 0:
        return finite(math.nan, "there is one block only, and none to compare it with", blocks=1)
    return finite(gains.min(), _CONSTANT, blocks=len(gains) + 1)


@register("trainability", needs=BlockJacobians(), paper=_PAPER, deterministic=False)
def trainability(s: Tensor) -> ProxyValue:
    """Mean over blocks of 2 - s - 1/s, s the spectral norm of the block's Jacobian.

    The Jacobian is the paper's estimate from random signs. It is 0 at best, where a block hands gradients back as
    strong as they came. A block that changes the resolution has a Jacobian from patches of its input; the paper leaves
    open what to do there.
    """
    reason = "a block hands no gradient back, or one that is not finite"
    return finite((2 - s - 1 / s).mean(), reason, blocks=len(s))


@register("complexity", needs=MultiplyAdds(), paper=_PAPER)
def complexity(multiply_adds: int) -> ProxyValue:
    """Multiply-adds of one image: AZ-NAS takes the larger network for the better one."""
    return ProxyValue(float(multiply_adds))

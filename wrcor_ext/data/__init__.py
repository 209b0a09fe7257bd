"""Where mini-batches come from: `load("photos")` gives one fixed, normalised batch of labelled images.

A *spec* names a source and, for some, a file or folder: `photos`, `noise`, `npz:FILE`, `folder:DIR`, `cifar10`,
`cifar100`. `sources()` lists them with a one-line summary each, for help texts.
"""

from __future__ import annotations

# Importing a source's module registers it.
from wrcor_ext.data import cifar, folder, noise, npz, photos  # noqa: F401
from wrcor_ext.data.batch import Batch
from wrcor_ext.data.loading import MAX_IMAGE_SIZE, load
from wrcor_ext.data.registry import Source, sources

__all__ = ["MAX_IMAGE_SIZE", "Batch", "Source", "load", "sources"]

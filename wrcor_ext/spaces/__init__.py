"""Search spaces: sets of architectures that can be drawn, changed, counted, written down and built."""

from __future__ import annotations

from wrcor_ext.spaces.base import Cost, Counting, Limits, Space
from wrcor_ext.spaces.models import from_models
from wrcor_ext.spaces.nasbench101 import NASBench101
from wrcor_ext.spaces.nasbench201 import NASBench201
from wrcor_ext.spaces.registry import SpaceEntry, entry, get, names, register

__all__ = [
    "Cost",
    "Counting",
    "Limits",
    "NASBench101",
    "NASBench201",
    "Space",
    "SpaceEntry",
    "entry",
    "from_models",
    "get",
    "names",
    "register",
]

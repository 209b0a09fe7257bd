"""Search spaces: sets of architectures that can be drawn, changed, counted, written down and built."""

from __future__ import annotations

from wrcor_ext.spaces.base import Cost, Counting, Limits, Space
from wrcor_ext.spaces.channelbench import ChannelBenchMobileNet
from wrcor_ext.spaces.encoding import Codes, Encoding, GridEncoding, Variable
from wrcor_ext.spaces.mobilenetv2 import MobileNetV2
from wrcor_ext.spaces.models import from_models
from wrcor_ext.spaces.nasbench101 import NASBench101
from wrcor_ext.spaces.nasbench201 import NASBench201
from wrcor_ext.spaces.nasbench_macro import NASBenchMacro
from wrcor_ext.spaces.registry import SpaceEntry, entry, get, names, register

__all__ = [
    "ChannelBenchMobileNet",
    "Codes",
    "Cost",
    "Counting",
    "Encoding",
    "GridEncoding",
    "Limits",
    "MobileNetV2",
    "NASBench101",
    "NASBench201",
    "NASBenchMacro",
    "Space",
    "SpaceEntry",
    "Variable",
    "entry",
    "from_models",
    "get",
    "names",
    "register",
]

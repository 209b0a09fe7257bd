"""The proxies: one file per family, one frozen registry entry per proxy."""

from __future__ import annotations

from wrcor_ext.needs import ResponseSum
from wrcor_ext.proxies import correlation, input_jacobian, perturbation, pruning, separation, sign_pattern
from wrcor_ext.proxies.registry import Proxy, ProxyValue, Summed, canonical_name, get, names, register

__all__ = [
    "Proxy",
    "ProxyValue",
    "ResponseSum",
    "Summed",
    "canonical_name",
    "correlation",
    "get",
    "input_jacobian",
    "names",
    "perturbation",
    "pruning",
    "register",
    "separation",
    "sign_pattern",
]

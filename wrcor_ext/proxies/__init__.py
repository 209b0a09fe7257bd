"""The proxies: one file per family, one frozen registry entry per proxy."""

from __future__ import annotations

from wrcor_ext.needs import ResponseSum
from wrcor_ext.proxies import (
    correlation,
    cost_proxies,
    gradsign,
    input_jacobian,
    meco,
    perturbation,
    primary_blocks,
    pruning,
    separation,
    sign_pattern,
    swap,
    te_nas,
    zen,
    zico,
)
from wrcor_ext.proxies.registry import Proxy, ProxyValue, Summed, canonical_name, get, names, register

__all__ = [
    "Proxy",
    "ProxyValue",
    "ResponseSum",
    "Summed",
    "canonical_name",
    "correlation",
    "cost_proxies",
    "get",
    "gradsign",
    "input_jacobian",
    "meco",
    "names",
    "perturbation",
    "primary_blocks",
    "pruning",
    "register",
    "separation",
    "sign_pattern",
    "swap",
    "te_nas",
    "zen",
    "zico",
]

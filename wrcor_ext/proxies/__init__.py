"""The proxies: one file per family, one frozen registry entry per proxy."""

from __future__ import annotations

from wrcor_ext.proxies import correlation, sign_pattern
from wrcor_ext.proxies.registry import Proxy, ProxyValue, ResponseSum, canonical_name, get, names, register

__all__ = [
    "Proxy",
    "ProxyValue",
    "ResponseSum",
    "canonical_name",
    "correlation",
    "get",
    "names",
    "register",
    "sign_pattern",
]

"""Initial weights."""

from __future__ import annotations

from wrcor_ext.published.weights import init_net

__all__ = ["init_net"]

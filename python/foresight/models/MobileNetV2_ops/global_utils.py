"""Numbers of channels."""

from __future__ import annotations

from wrcor_ext.published.networks import smart_round

__all__ = ["smart_round"]

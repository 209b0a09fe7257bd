"""The networks of the three spaces."""

from __future__ import annotations

from wrcor_ext.published.networks import mobilenetv2 as get_MobileNetV2_model
from wrcor_ext.published.networks import nasbench101 as get_nasbench101_model
from wrcor_ext.published.networks import nasbench201 as get_nasbench201_model

__all__ = ["get_MobileNetV2_model", "get_nasbench101_model", "get_nasbench201_model"]

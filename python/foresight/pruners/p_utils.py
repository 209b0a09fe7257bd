"""What measures are written with."""

from __future__ import annotations

from wrcor_ext.published.batches import some_batches as get_some_data
from wrcor_ext.published.batches import some_of_each_class as get_some_data_grasp
from wrcor_ext.published.layers import count_parameters, get_layer_metric_array

__all__ = ["count_parameters", "get_layer_metric_array", "get_some_data", "get_some_data_grasp"]

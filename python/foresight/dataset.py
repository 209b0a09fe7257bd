"""`from foresight.dataset import *`: data loaders, and the four modules that scripts take from here."""

from __future__ import annotations

import os
import sys

import numpy as np
import torch

from wrcor_ext.published.loaders import get_dataloaders

__all__ = ["get_dataloaders", "np", "os", "sys", "torch"]

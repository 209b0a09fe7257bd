"""Helpers of the MobileNetV2 space."""

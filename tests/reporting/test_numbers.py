"""Numbers for people."""

from __future__ import annotations

import pytest

from wrcor_ext.reporting import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (153_265_152, "153 M"),
        (1_073_466, "1.07 M"),
        (20_346, "20.3 k"),
        (1_000, "1.00 k"),
        (999, "999"),
        (7, "7.00"),
        (0, "0.00"),
        (2.5e9, "2.50 G"),
        (1.2e13, "12.0 T"),
        (-4_500, "-4.50 k"),
        (123_456e12, "123 P"),
        (123_456e18, "123456 E"),
        (999_600, "1.00 M"),
        (999_400, "999 k"),
        (None, "\N{EN DASH}"),
    ],
)
def test_short(value, text):
    assert numbers.short(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (100.0, "100"), (1e6, "1 M"), (2.5e6, "2.5 M"), (110.0, "110"), (0.25, "0.25")]
)
def test_ticks_have_no_zeros_at_their_end(value, text):
    assert numbers.tick(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (3.21, "3.2 s"),
        (48.4, "48 s"),
        (59.7, "1 min 00 s"),
        (200, "3 min 20 s"),
        (7_500, "2 h 05 min"),
    ],
)
def test_durations(seconds, text):
    assert numbers.duration(seconds) == text


def test_scores():
    assert numbers.score(-1234.567) == "-1234.57"
    assert numbers.score(None) == "\N{EN DASH}"
    assert [numbers.score(value) for value in (0.0, 0.1, 0.02, -3.14159e-5)] == ["0.00", "0.10", "0.02", "-3.142e-05"]
    assert [numbers.score(value) for value in (999999.0, 1e6, -1.23456e61)] == ["999999.00", "1e+06", "-1.235e+61"]
    assert numbers.score(12.345, 0.0123) == "12.35 ± 0.012"
    assert numbers.score(12345.6, 123.456) == "12345.60 ± 123.46"

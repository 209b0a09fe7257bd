"""Numbers for people."""

from __future__ import annotations


def short(value: float | None, digits: int = 3) -> str:
    """`value` with a metric prefix: 153265152 is "153 M", 1073466 is "1.07 M"; None is a dash."""
    if value is None:
        return "\N{EN DASH}"
    for limit, prefix in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit * (1 - 0.5 * 10.0**-digits):  # 999,999 is "1.00 M", not "1000 k"
            return f"{significant(value / limit, digits)} {prefix}"
    return significant(value, digits)


def tick(value: float) -> str:
    """`short` for an axis: no zeros at the end."""
    number, space, prefix = short(value, 4).partition(" ")
    return (number.rstrip("0").rstrip(".") if "." in number else number) + space + prefix


def significant(value: float, digits: int) -> str:
    """`value` with so many significant digits, never in exponent form, and no digit before the point cut off."""
    magnitude = int(f"{value:.{digits - 1}e}".partition("e")[2])  # of the rounded value: 0.9996 is "1.00"
    return f"{value:.{max(0, digits - 1 - magnitude)}f}"


def score(value: float | None, error: float | None = None) -> str:
    """A score, with its standard error if there is one; None is a dash.

    Two decimals tell candidates apart, four digits where a score is far from one: proxies of deep networks reach 1e60.
    """
    if value is None:
        return "\N{EN DASH}"
    if error is not None:
        return f"{score(value)} ± {f'{error:.2g}' if error < 100 else score(error)}"
    return f"{value:.2f}" if value == 0 or 0.1 <= abs(value) < 1e6 else f"{value:.4g}"


def size(value: float | None) -> str:
    """Bytes: 1638400 is "1.64 MB"; None is a dash."""
    number, _, prefix = short(value).partition(" ")
    return number if value is None else f"{number} {prefix}B"


def count(value: float | None) -> str:
    """A whole number; None is a dash."""
    return "\N{EN DASH}" if value is None else f"{value:.0f}"


def milliseconds(value: float | None) -> str:
    """Milliseconds: "1.52 ms"; None is a dash."""
    return "\N{EN DASH}" if value is None else f"{significant(value, 3)} ms"


def duration(seconds: float) -> str:
    """Seconds as "48 s", "3 min 20 s" or "2 h 05 min"."""
    if seconds < 59.5:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"

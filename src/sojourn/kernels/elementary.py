"""Elementary functions of many numbers side by side, without branches: formulas on `Lanes`, float32 and float64."""

from __future__ import annotations


def sqrt(x):
    """Rounded correctly."""
    return x.sqrt()


def absolute(x):
    return x.absolute()


def sign(x):
    """-1, 0 or 1; 0 for NaN, as PyTorch's."""
    return x.compare(">", 0).choose(1.0, x.compare("<", 0).choose(x.constant(-1.0), 0.0))


def maximum(x, y):
    """The larger one, or NaN where either is NaN."""
    return y.compare("!=", y).choose(y, x.compare("<=", y).choose(y, x))


def minimum(x, y):
    """The smaller one, or NaN where either is NaN."""
    return y.compare("!=", y).choose(y, x.compare(">=", y).choose(y, x))


def whole_power(x, exponent):
    """x^exponent by squaring; 1 / x^-exponent where it is negative."""
    if exponent < 0:
        return 1.0 / whole_power(x, -exponent)
    value, square = None, x
    while exponent:
        if exponent & 1:
            value = square if value is None else value * square
        square, exponent = square * square if exponent > 1 else square, exponent >> 1
    return x.constant(1) if value is None else value

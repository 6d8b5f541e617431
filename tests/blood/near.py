"""Equal to a relative error. `pytest.approx` also lets 1e-12 pass, and SI numbers of a robot are smaller than that."""

import pytest


def near(expected, rel=1e-9):
    return pytest.approx(expected, rel=rel, abs=0)

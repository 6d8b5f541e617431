"""`sojourn run blood-dispersion`: tracks and what networks learn of them beside Aris; a run that is gone on with."""

import json
import math

import numpy as np
import pytest
from scipy.stats import kstest

from sojourn.errors import InputError
from sojourn.experiments.blood_dispersion import RADIUS, ROBOT, BloodDispersion, spread_out, vessel
from sojourn.experiments.blood_validation_exact import mean_speed, spreading
from sojourn.runs import Run


def test_dispersion_grows_as_the_square_of_the_flow():
    """Aris' formula is D_0 + c U^2 whatever the walls do, and below that of a point, which reaches slower plasma."""
    still, slow, fast = (spreading(vessel(x)) for x in (0.0, 5.0, 20.0))
    assert (fast - still) / (slow - still) == pytest.approx(16, rel=1e-9)
    D = float(ROBOT.diffusivity(1.2e-3).along)
    assert D / 2 < still < D
    assert fast < D * (1 + 400 / 48)
    assert mean_speed(vessel(20.0)) / mean_speed(vessel(5.0)) == pytest.approx(4, rel=1e-9)
    # The mean of 2 U (1 - r^2/R^2 - 2/3 a^2/R^2) over r <= R - a = 4/5 R.
    r = (np.arange(4000) + 0.5) / 4000 * 0.8
    mean = (2 * (1 - r**2 - 2 / 75) * r).sum() / r.sum()
    assert mean_speed(vessel(5.0)) / (5 * D / RADIUS) == pytest.approx(mean, rel=1e-6)


def test_robots_start_all_over_the_cross_section():
    """Uniform in r^2, in the angle and along: Kolmogorov's test at 3e-7 each, fixed seed."""
    across, along = spread_out(2.0, 20_000, 3)
    assert kstest((across**2).sum(1) / 4, "uniform").pvalue > 3e-7
    assert kstest(np.arctan2(*across.T) / (2 * math.pi) + 0.5, "uniform").pvalue > 3e-7
    assert kstest(along, "uniform").pvalue > 3e-7


@pytest.mark.slow
def test_what_is_learned_from_tracks(tmp_path):
    """Drift and dispersion within six standard errors of Aris, missed by chance once in 1e8; what is finished is kept.

    The standard errors are those of n independent normal steps, sqrt(2 D h / n) / h and D sqrt(2 / n), twice as large
    for what networks learn at one place.
    """
    experiment = BloodDispersion(peclet=(10.0,), robots=128, frames=12)
    run = Run.create("blood-dispersion", experiment.settings(), tmp_path / "run")
    story = "\n".join(experiment.run(run))
    (flow,) = run.record["results"]["flows"]
    n, h, D = 128 * 12, flow["apart"], flow["dispersion"]
    assert flow["tracks"]["value"] == pytest.approx(D, abs=6 * D * math.sqrt(2 / n) + D / 100)  # 1% of memory in a step
    assert flow["learned_dispersion"][0] == pytest.approx(D, abs=12 * D * math.sqrt(2 / n) + D / 100)
    assert flow["learned_drift"][0] == pytest.approx(flow["drift"], abs=12 * math.sqrt(2 * D / (n * h)))
    assert flow["point"] > 1.1 * D
    assert "Kolmogorov" in story
    assert (tmp_path / "run" / "figures" / "dispersion.png").stat().st_size > 10_000
    kept = (tmp_path / "run" / "flows" / "10.json").read_text()
    assert "\n".join(experiment.run(run)) == story
    assert (tmp_path / "run" / "flows" / "10.json").read_text() == kept
    assert json.loads(kept)["peclet"] == 10


def test_bad_settings():
    with pytest.raises(
        InputError, match=r"peclet=\(-1\.0,\) are not numbers from 0 to 100; give some, such as \(0, 10\)"
    ):
        BloodDispersion(peclet=(-1.0,))
    with pytest.raises(InputError, match=r"peclet=\(\) are not numbers"):
        BloodDispersion(peclet=())
    with pytest.raises(InputError, match="robots=1 is too few to learn from; use 8 or more"):
        BloodDispersion(robots=1)
    with pytest.raises(InputError, match="frames=2 is too few to learn from; use 4 or more"):
        BloodDispersion(frames=2)

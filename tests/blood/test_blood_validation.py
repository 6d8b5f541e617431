"""`sojourn run blood-validation`: exact values by other ways, verdicts, and a small run that is gone on with."""

import json
import math

import mpmath
import numpy as np
import pytest

from sojourn.bounds.estimate import Estimate
from sojourn.errors import InputError
from sojourn.experiments import blood_validation_blood as blood
from sojourn.experiments.blood_validation import BloodValidation
from sojourn.experiments.blood_validation_cells import cells_and_ligands
from sojourn.experiments.blood_validation_chance import WATCHED, free
from sojourn.experiments.blood_validation_exact import exit_law, mean_speed, spreading, survival
from sojourn.experiments.blood_validation_motion import in_tube
from sojourn.experiments.blood_validation_steps import once
from sojourn.experiments.blood_validation_table import FAMILY, TOGETHER, Row, drawn, sure
from sojourn.processes.blood.closed_forms import surviving_flux
from sojourn.processes.blood.dispersion import taylor_aris_diffusivity
from sojourn.processes.blood.robot import Robot
from sojourn.runs import Run


def five(value, digits=5):
    """Rounded to so many digits."""
    return float(str(mpmath.nstr(value, digits)))


def by_hematocrit(d, h):
    x = 1 / (1 + mpmath.mpf(10) ** -11 * d**12)
    c = (mpmath.mpf("0.8") + mpmath.exp(mpmath.mpf("-0.075") * d)) * (x - 1) + x
    return ((1 - h) ** c - 1) / (mpmath.mpf("0.55") ** c - 1)


def in_vitro(d, h):
    at_45 = 220 * mpmath.exp(-1.3 * d) + 3.2 - 2.44 * mpmath.exp(-0.06 * d**0.645)
    return 1 + (at_45 - 1) * by_hematocrit(d, h)


def in_vivo_1994(d, h):
    at_45 = 6 * mpmath.exp(-0.085 * d) + 3.2 - 2.44 * mpmath.exp(-0.06 * d**0.645)
    f = (d / (d - 1.1)) ** 2
    return (1 + (at_45 - 1) * by_hematocrit(d, h) * f) * f


def in_vivo_2005(d, h):
    everywhere = 2.6 * (d - 2.4) / (d + 100 - 4.8)
    peak = 1.1 * (d - 2.4) / (10.5 - 2.4) if d <= 10.5 else 1.1 * mpmath.exp(-0.03 * (d - 10.5))
    physical, effective = d - 2 * (everywhere + 0.6 * peak), d - 2 * (everywhere + peak * (1 + 1.18 * h))
    return in_vitro(physical, h) * (d / effective) ** 4


def test_the_five_digits_of_the_laws_of_blood():
    """The formulas of the facts' sources once more, in thirty digits."""
    h = mpmath.mpf("0.45")
    laws = {"pries_in_vitro_1992": in_vitro, "pries_in_vivo_1994": in_vivo_1994, "pries_in_vivo_2005": in_vivo_2005}
    with mpmath.workdps(30):
        for name, law in laws.items():
            assert tuple(five(law(mpmath.mpf(d), h)) for d in blood.DIAMETERS) == blood.VISCOSITIES[name]
        ratios = [
            h + (1 - h) * (1 + 1.7 * mpmath.exp(-0.35 * d) - 0.6 * mpmath.exp(-0.01 * d)) for d in blood.DIAMETERS
        ]
        assert tuple(map(five, ratios)) == blood.FAHRAEUS
        k = (1 - h) / 10
        for share, exact in blood.SEPARATION.items():
            least = 0.964 * k
            if share <= least:
                assert exact == 0
                continue
            scaled = (share - least) / (1 - 2 * least)
            odds = (scaled / (1 - scaled)) ** (1 + 6.98 * k)
            assert five(odds / (1 + odds)) == exact
        for number, (amplitude, phase) in blood.PULSES.items():
            z = mpmath.expjpi(0.75) * number
            u = -4 / z**2 * (1 - 1 / mpmath.besselj(0, z))
            assert five(abs(u)) == amplitude
            assert five(mpmath.degrees(mpmath.arg(u)), 4) == phase
        assert float(-mpmath.zeta(0.5) / mpmath.sqrt(2 * mpmath.pi)) == pytest.approx(WATCHED, rel=1e-15)


def test_points_in_tubes_are_the_limit():
    """Taylor and Aris, Graetz, and the mean velocity: a robot differs from a point by a few times a / R."""
    radius, velocity, apart = 1e-5, 1e-4, []
    for a in (4e-10, 1e-10):
        process = in_tube(radius, velocity, Robot(a), shear_strength=0.0)
        D = float(process.body.diffusivity)
        once_across = velocity * radius**2 / D
        apart.append(
            [
                mean_speed(process) / velocity - 1,
                spreading(process) / taylor_aris_diffusivity(D, velocity, radius) - 1,
                survival(process, radius - a, 0.1 * once_across) / surviving_flux(0.1) - 1,
            ]
        )
    far, near = np.abs(apart) / [[4e-10 / radius], [1e-10 / radius]]
    assert far.max() < 20
    assert near.max() < 30  # at most as the logarithm of R / a, for the walls' 1 / gap


def test_the_law_of_exits():
    """Its mean is R^2 / 4D, late it falls as the slowest mode of diffusion, and it rises from 0 to 1."""
    t = np.linspace(0, 4, 40_001)
    law = exit_law(1.0, t)
    assert law[0] == 0
    assert np.diff(law).min() >= -1e-14
    assert np.trapezoid(1 - law, t) == pytest.approx(0.25, abs=1e-7)
    assert (1 - law[-1]) / (1 - law[-5001]) == pytest.approx(math.exp(-0.5 * 2.404825557695773**2), rel=1e-4)
    np.testing.assert_allclose(exit_law(3.0, t / 3), law, atol=1e-14)


def test_verdicts():
    agreeing = Estimate(1.0, 0.9, 1.2)
    assert drawn("x", 0.95, agreeing).agrees
    assert not drawn("x", 0.89, agreeing).agrees
    assert drawn("x", 0.95, agreeing, halved=1.19).steady
    assert not drawn("x", 0.95, agreeing, halved=1.21).steady
    assert sure("x", 100.0, 100.9, 0.01, "").agrees
    assert not sure("x", 100.0, 101.1, 0.01, "").agrees
    row = drawn("x", 0.95, agreeing, halved=1.19)
    assert Row.of(json.loads(json.dumps(row.__dict__))) == row
    assert TOGETHER["family"] == FAMILY


def test_a_rotation_that_halves_too_slowly_is_found():
    """<p . p0> = exp(-2 D_R t); the exp(-D_R t) that one simulator gives is outside every interval, ours inside."""
    rows = {row["what"]: Row.of(row) for row in free(2000, 1)["rows"]}
    assert all(row.agrees for row in rows.values())
    row = rows["<p(t) . p(0)> after 0.5 s"]
    assert not row.ends[0] <= math.sqrt(row.exact) <= row.ends[1]


def test_every_entry_of_a_noise_is_counted():
    """Of 21 entries the worst of each block is shown, and the strongest of those that couple is not nothing."""
    rows = [Row.of(row) for row in once(1000, 2)["rows"]]
    assert all(row.agrees for row in rows)
    words = [row.what.split(", ")[1] for row in rows if "helix" in row.what]
    assert words == ["worst translation", "worst rotation", "worst coupling", "strongest coupling"]
    assert not rows[-1].ends[0] <= 0 <= rows[-1].ends[1]


def test_pushed_and_held():
    """Both agree; an attempt that always held would be seen."""
    law, held = (Row.of(row) for row in cells_and_ligands(2000, 3)["rows"])
    assert law.agrees
    assert held.agrees
    assert not held.ends[0] <= 1 - math.exp(-8 * 0.5) <= held.ends[1]


@pytest.mark.slow
def test_a_small_run(tmp_path):
    """All holds; every interval is one of the family; a stage that is missing is measured again, to the same digits."""
    experiment = BloodValidation(robots=1000, vessels=150)
    run = Run.create("blood-validation", experiment.settings(), tmp_path / "run")
    story = "\n".join(experiment.run(run))
    rows = [Row.of(row) for row in run.record["results"]["rows"]]
    assert run.record["results"]["fails"] == []
    assert "All hold." in story
    assert sum(bool(row.ends) for row in rows) + (21 - 4) + 4 == FAMILY  # entries of a covariance, points of a figure
    assert len(list((tmp_path / "run" / "figures").glob("*.png"))) == 4
    stage = tmp_path / "run" / "stages" / "split.json"
    before = json.loads(stage.read_text())["rows"]
    stage.unlink()
    experiment.run(run)
    assert json.loads(stage.read_text())["rows"] == before


def test_bad_settings():
    with pytest.raises(InputError, match="robots=10 is too few to measure by; use 1000 or more"):
        BloodValidation(robots=10)
    with pytest.raises(InputError, match="vessels=99 is too few to measure by; use 100 or more"):
        BloodValidation(vessels=99)
    with pytest.raises(InputError, match="seed=-1"):
        BloodValidation(seed=-1)

"""The experiment, small: its step is the training's own, times are kept, the published ones stand beside."""

import json

import pytest
import torch

from sojourn.errors import InputError
from sojourn.experiments.ssm_speed import SsmSpeed, begun, iteration
from sojourn.noise import Noise
from sojourn.runs import Run
from sojourn.score.fitting import objective_of

SMALL = {"dimensions": (2, 100), "rounds": 2, "half": 8, "inducing": 5}


def test_a_step_minimises_the_second_half_with_the_weights_of_the_first():
    """By the quadratics themselves; afterwards the loss of the same directions is lower."""
    noise, x = Noise(3), torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    family = begun(3, 10, noise)
    alpha = family.weigh(objective_of(family, "sliced", x[:20], noise.split(0), 4))
    expected = objective_of(family, "sliced", x[20:], noise.split(1), 4).value(alpha)
    step = iteration(family, "sliced", x, noise)
    assert torch.equal(step(4), expected.detach())
    assert step(4) < expected
    assert torch.equal(begun(3, 10, noise).points, begun(3, 10, noise).points)


def test_times_are_kept_beside_the_published_ones(tmp_path):
    experiment = SsmSpeed(**SMALL)
    run = Run.create("ssm-speed", experiment.settings(), tmp_path / "run")
    story = "\n".join(experiment.run(run))
    for words in ("SSM-VR", "CP", "D = 100", "1.6", "0.3-0.5", "another run gives others"):
        assert words in story
    found = json.loads((tmp_path / "run" / "times" / "100.json").read_text())
    assert {len(times) for times in found.values()} == {2}
    assert all(t > 0 for times in found.values() for t in times)
    assert (tmp_path / "run" / "figures" / "seconds.png").stat().st_size > 10_000
    assert "\n".join(experiment.run(run)) == story  # nothing is timed again


def test_wrong_settings_are_refused():
    with pytest.raises(InputError, match=r"objectives=\['mle'\] is not known; choose from exact, sliced_reduced"):
        SsmSpeed(objectives=("mle",))
    with pytest.raises(InputError, match=r"dimensions=\(0,\) are not whole numbers of 1 or more"):
        SsmSpeed(dimensions=(0,))
    with pytest.raises(InputError, match="rounds=0 is below 1"):
        SsmSpeed(rounds=0)

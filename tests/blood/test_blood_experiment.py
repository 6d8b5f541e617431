"""`sojourn run blood`, small: what it keeps, that it goes on where it was stopped, and what it refuses."""

import json

import numpy as np
import pytest
import torch

from sojourn.errors import InputError
from sojourn.experiments.blood import BloodToTumour, towards
from sojourn.experiments.blood_film import film
from sojourn.formats.vessels import read_vtp
from sojourn.processes.blood.robots import CAPTURED
from sojourn.runs import Run
from sojourn.trajectory import Trajectory

SMALL = {"vessels": 100, "robots": 60, "duration": "0.6 s", "dt": "50 us", "frames": 6, "capture_rate": "100 1/s"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    experiment, path = BloodToTumour(**SMALL), tmp_path_factory.mktemp("run") / "blood"
    run = Run.create("blood", experiment.settings(), path)
    with run.active():
        story = experiment.run(run)
    return experiment, run, story


def test_both_arms_start_alike_and_the_table_counts_every_robot(finished):
    experiment, run, story = finished
    results = json.loads((run.path / "run.json").read_text())["results"]
    for name in experiment.arms:
        row = results[name]
        shares = [
            row[k]["value"] for k in ("captured in the tumour", "left by an outlet", "bound to walls", "on the way")
        ]
        assert sum(shares) == pytest.approx(1)
    first, second = (Trajectory.open(run.path / f"{name}.zarr").state(0) for name in ("no-field", "guided"))
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert any("captured in the tumour" in line for line in story)


def test_the_map_for_paraview_holds_the_captured(finished):
    experiment, run, _ = finished
    network = read_vtp(run.path / "guided.vtp", boundaries=experiment.flow.network.boundaries)
    assert len(network.vessels) == len(experiment.flow.network.vessels)
    state = Trajectory.open(run.path / "guided.zarr").state()
    kinds = np.array(experiment.flow.network.kinds)
    assert set(kinds[state["vessel"][state["status"] == CAPTURED].numpy()]) <= {"tumour"}


def test_it_goes_on_where_it_was_stopped(finished, tmp_path):
    """The second time everything is there, and the results are the same."""
    experiment, run, story = finished
    before = Trajectory.open(run.path / "guided.zarr").state()
    again = Run.open(run.path)
    with again.active():
        assert experiment.run(again) == story
    after = Trajectory.open(run.path / "guided.zarr").state()
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_a_frame_of_the_film_shows_each_robot_where_it_is(finished):
    """One robot on the way, drawn alone: nine pixels differ from the picture without it, in the panel of its run."""
    experiment, run, _ = finished
    path, process = Trajectory.open(run.path / "guided.zarr"), experiment.arms["guided"]
    one = Trajectory(path.dataset.isel(ensemble=slice(0, 1), time=slice(0, 2)))
    gone = Trajectory(one.dataset.copy(deep=True))
    gone.dataset["status"][:] = 2
    with_it, without = (next(film([("guided", process, run)])) for run in (one, gone))
    assert (with_it != without).any(2).sum() == 9


def test_the_field_points_to_the_place_in_the_plane():
    field = towards(torch.tensor([1e-3, 2e-3, 0.0], dtype=torch.float64), "0.4 T/m")
    x = torch.tensor([[3e-3, 2e-3, 0.0], [1e-3, 2e-3, 0.0]], dtype=torch.float64)
    found = field.field(x, 0.0)
    assert torch.allclose(found, torch.tensor([[-8e-4, 0.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64), atol=1e-15)


def test_bad_settings_are_refused():
    with pytest.raises(InputError, match="robots=1 is below 2"):
        BloodToTumour(robots=1)
    with pytest.raises(InputError, match="duration='1 ms' holds 40 steps; give fewer frames or more time"):
        BloodToTumour(duration="1 ms")
    with pytest.raises(InputError, match=r"dt=1 s carries a robot past vessel \d+; give at most"):
        BloodToTumour(**{**SMALL, "dt": "1 s", "duration": "60 s"})
    with pytest.raises(InputError, match="payload='1 um' is not a mass"):
        BloodToTumour(payload="1 um")
    with pytest.raises(InputError, match="is larger than its vessel"):
        BloodToTumour(**{**SMALL, "radius": "20 um"})

"""The call that the README promises, as written, and what it means."""

import re
from pathlib import Path

import pytest
import torch

import sojourn as sj


def test_as_written():
    from sojourn.processes.blood import BloodRobots, MagneticField, Robot, VesselNetwork

    network = VesselNetwork.honeycomb(
        columns=8, rows=6, diameter="20 um", length="200 um", inlet_velocity="2 mm/s", hematocrit=0.45
    )
    flow = network.solve(viscosity="pries_in_vivo_1994")  # .pressure .flow .hematocrit .residual
    robots = Robot(radius="0.5 um", magnetic_moment="1e-15 A m^2", swim_speed="10 um/s")
    process = BloodRobots(flow, robots, field=MagneticField.none())
    run = sj.simulate(process, steps=20, ensemble=100_000, seed=0, progress=False)

    assert network.loops == 48
    assert flow.pressure.shape == (126,)
    assert flow.hematocrit.shape == flow.flow.shape == (173,)
    assert max(flow.residual, flow.cell_residual) < 1e-10
    along = run.state()["along"]
    u = flow.mean_velocity.max()
    # from flux-weighted starts within R - a robots move faster than the mean, and slower than the axis
    assert 1 < float(along.mean() / (u * 20 * process.dt)) < 2
    assert bool((along >= 0).all())
    assert torch.equal(run.state()["status"], torch.zeros(100_000, dtype=torch.uint8))


def test_the_page_runs_as_written():
    """The robots of docs/blood.md: what is printed names the losses, and shares sum to one."""
    page = (Path(__file__).parents[2] / "docs" / "blood.md").read_text(encoding="utf-8")
    block = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert block
    found: dict = {}
    exec(compile(block[1], "docs/blood.md", "exec"), found)
    delivery = found["delivered"](found["run"], found["robots"], payload="1 fg")
    assert sum(e.value for e in delivery.shares.values()) == pytest.approx(1)
    assert "left at node" in str(delivery)

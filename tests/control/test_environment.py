"""The game of steering: Gymnasium's own checks, the same motion as a schedule, rewards that sum up, late looks."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sojourn.control import Guided, Localisation, Route
from sojourn.control.coil import from_five
from sojourn.errors import InputError
from sojourn.noise import Noise
from sojourn.processes.blood.contact import Contact

sys.path.insert(0, str(Path(__file__).parent))
from tree import COIL, INTERVAL, equal, flow, robots

check_env = pytest.importorskip("gymnasium.utils.env_checker").check_env


def game(horizon=6, ensemble=20, delay=0, std=0.0):
    from sojourn.control.environment import SteeringEnv

    contact = Contact(reach="1 um", targets=(4,), capture_rate="100 1/s")
    inner, seen = robots(2, coarse=3, contact=contact), Localisation(std, delay=delay)
    return SteeringEnv(inner, Route(flow(2), 4), COIL, seen, interval=INTERVAL, horizon=horizon, ensemble=ensemble)


def test_gymnasium_finds_nothing_wrong():
    """Its checker warns or raises, and a warning is an error here."""
    check_env(game(delay=1, std=5e-6), skip_render_check=True)


def test_an_episode_is_a_schedule():
    """Robots move as under the schedule that the coil makes of the actions."""
    env, actions = game(ensemble=50), np.random.default_rng(1).uniform(-1, 1, (6, 8)).astype(np.float32)
    env.reset(seed=4)
    for action in actions:
        seen, _, over, cut, _ = env.step(action)
    assert (over, cut) == (False, True)
    wishes = torch.from_numpy(actions.astype(np.float64))
    plan = COIL.follow(3e-3 * wishes[:, :3], 0.5 * from_five(wishes[:, 3:]), interval=INTERVAL)
    noise = Noise(int(np.random.Generator(np.random.PCG64(np.random.SeedSequence(4))).integers(2**63)))
    guided = Guided(env.robots, plan)
    state = guided.initial(50, noise.split("initial"))
    state = guided.advance(state, 0, round(6 * INTERVAL / guided.dt), noise)
    assert equal(env._state, state)
    np.testing.assert_allclose(seen[6:9], plan.field[-1] / 3e-3, atol=1e-7)
    nodes = flow(2).network.nodes
    low, high = nodes.amin(0) - 1e-5, nodes.amax(0) + 1e-5
    mean = env.robots.places(state)[state["status"] <= 1].mean(0)
    np.testing.assert_allclose(seen[:3], 2 * (mean - low) / (high - low) - 1, atol=1e-6)
    np.testing.assert_allclose(seen[-1], 1.0)


def test_looks_are_late_and_resets_repeat_themselves():
    actions = np.random.default_rng(2).uniform(-1, 1, (6, 8)).astype(np.float32)

    def seen(env, seed):
        first, _ = env.reset(seed=seed)
        return np.array([first, *(env.step(action)[0] for action in actions)])

    prompt, late = seen(game(std=4e-6), 7), seen(game(std=4e-6, delay=2), 7)
    np.testing.assert_array_equal(late[2:, :6], prompt[:-2, :6])
    np.testing.assert_array_equal(late[:2, :6], prompt[[0, 0], :6])
    env = game(std=4e-6)
    np.testing.assert_array_equal(seen(env, 7), prompt)
    assert not np.array_equal(seen(env, 8), prompt)


def test_rewards_sum_to_progress_and_capture_and_the_episode_ends_when_all_have_gone():
    env = game(horizon=200, ensemble=10)
    _, before = env.reset(seed=0)
    assert before["progress"] == before["captured"] == 0
    total, over, cut, steps = 0.0, False, False, 0
    while not (over or cut):
        _, reward, over, cut, info = env.step(env.action_space.sample() * 0)
        total, steps = total + reward, steps + 1
    assert over
    assert steps < 200
    assert total == pytest.approx(info["progress"] + info["captured"], abs=1e-12)
    assert info["progress"] == info["in_target"] >= info["captured"]


def test_what_is_no_game_or_action_is_refused():
    from sojourn.control.environment import SteeringEnv

    with pytest.raises(InputError, match=r"^horizon=0 with ensemble=20 is no episode; give 1 or more of each"):
        game(horizon=0)
    with pytest.raises(InputError, match=r"^route is a Flow; give a Route"):
        SteeringEnv(robots(2), flow(2), COIL, Localisation(0.0), interval=INTERVAL, horizon=1)
    env = game()
    with pytest.raises(InputError, match=r"^step before reset; begin an episode with reset\(\)"):
        env.step(np.zeros(8))
    env.reset(seed=0)
    with pytest.raises(
        InputError, match=r"^action=.* is not 8 finite numbers; give the field \(3\) and the gradient \(5\)"
    ):
        env.step(np.full(8, np.nan))


def test_without_gymnasium_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    monkeypatch.delitem(sys.modules, "sojourn.control.environment", raising=False)
    with pytest.raises(
        InputError, match=r"^gymnasium is not installed, which SteeringEnv needs; pip install 'sojourn\[control\]'"
    ):
        importlib.import_module("sojourn.control.environment")

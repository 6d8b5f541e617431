"""Gray-Scott states: those that `simulate` gives, prefixes of one sequence, and the map to concentrations exact."""

import pytest
import torch

from sojourn import GrayScott, InputError, data
from sojourn.noise import Noise


def test_a_state_is_that_of_the_process():
    found = data.gray_scott_states(2, patterns=["maze", (0.03, 0.062)], size=16, time=300, seed=3)
    assert found.labels.tolist() == torch.tensor([(0.029, 0.057), (0.03, 0.062)] * 2).tolist()
    noise = Noise(3).split("F=0.029, k=0.057")
    process = GrayScott(0.029, 0.057, shape=(16, 16), extent=0.25, scheme="heun", start="seeds")
    state = process.initial(32, noise)
    for t in range(300):
        state = process.step(state, t, noise)
    alive = state["v"].flatten(1).std(dim=1) > 1e-3
    back = data.to_concentrations(found.x[::2])
    for name in ("u", "v"):
        torch.testing.assert_close(back[name], state[name][alive][:2], atol=2e-5, rtol=0)
    data.check_images(found.x)


def test_more_members_begin_with_the_same_ones():
    few = data.gray_scott_states(3, patterns=["worms"], size=16, time=200)
    many = data.gray_scott_states(40, patterns=["worms", "bubbles"], size=16, time=200)
    assert torch.equal(few.x, many.x[:6:2])
    assert len(torch.unique(many.x.flatten(1), dim=0)) == 80


def test_bad_input():
    with pytest.raises(InputError, match="no Gray-Scott pattern is called 'stripes'; there are: gliders"):
        data.gray_scott_states(1, patterns=["stripes"])
    with pytest.raises(InputError, match=r"F=0.09, k=0.09: of 256 starts on 16 x 16 cells only 0 had a pattern left"):
        data.gray_scott_states(1, patterns=[(0.09, 0.09)], size=16, time=500)
    with pytest.raises(InputError, match="members=0 and time=2000 must be 1 or more"):
        data.gray_scott_states(0)
    with pytest.raises(InputError, match=r"the pattern 0.03 is neither a name nor a pair; give patterns=\[\(F, k\)"):
        data.gray_scott_states(1, patterns=(0.03, 0.06))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="patterns is empty"):
        data.gray_scott_states(1, patterns=[])

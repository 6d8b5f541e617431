"""The lines that the documentation promises, as written there."""

import re
from pathlib import Path

import torch

from sojourn.noise import Noise


def test_the_lines_as_written():
    x, noise = torch.randn(16, 2), Noise(0)
    score = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Softplus(), torch.nn.Linear(8, 2))

    from sojourn.score import DeepKernelExponentialFamily, objectives

    loss = objectives.sliced(score, x, projections=1, reduced_variance=True, noise=noise)
    loss.backward()
    assert all(p.grad is not None for name, p in score.named_parameters() if "weight" in name)
    assert objectives.exact(score, x).isfinite()
    assert objectives.exact(DeepKernelExponentialFamily(x[:4]), x).isfinite()


def test_the_page_as_written():
    page = (Path(__file__).parents[2] / "docs" / "score-matching.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert blocks
    for block in blocks:
        exec(compile(block, "docs/score-matching.md", "exec"), {})

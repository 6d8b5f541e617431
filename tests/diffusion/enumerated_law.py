"""A small law on a lattice, every state enumerated, and its exact denoiser: for tests of discrete diffusion."""

from itertools import product

import torch
from torch import nn

from sojourn.diffusion.discrete import Kernel


class Law(nn.Module):
    """p over all boards of `cells` cells with K states; as a network it says the true p(x_0 of a cell | x_t)."""

    def __init__(self, p, states, cells, kernel: Kernel):
        super().__init__()
        self.p, self.cells, self.kernel = p, cells, kernel
        self.data = boards(states, cells)
        self.noised = boards(kernel.symbols, cells)

    def q(self, t):
        """q(x_t | x_0), (data, noised): a product over cells of entries of Q_bar_t, one by one."""
        return product_law(self.kernel.Q_bar(t), self.data, self.noised)

    def forward(self, x_t, t, condition=None):
        index = (x_t.long() * self.kernel.symbols ** torch.arange(self.cells - 1, -1, -1)).sum(1)
        joint = self.p[:, None] * self.q(int(t[0]))
        given = (joint / joint.sum(0))[:, index]  # p(x_0 | x_t), (data, n)
        hot = torch.nn.functional.one_hot(self.data.long(), self.kernel.states).double()
        return torch.log(torch.einsum("dn,dck->nck", given, hot).clamp(min=1e-300))


def boards(states, cells):
    return torch.tensor(list(product(range(states), repeat=cells)), dtype=torch.uint8)


def product_law(matrix, before, after):
    """Product over cells of matrix[before, after], (len(before), len(after))."""
    return matrix[before.long()[:, None, :], after.long()[None, :, :]].prod(-1)


def random_law(n, seed):
    generator = torch.Generator().manual_seed(seed)
    p = torch.rand(n, generator=generator, dtype=torch.float64) ** 4
    return p / p.sum()

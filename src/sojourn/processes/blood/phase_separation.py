"""How a network's junctions share their red cells: any number of vessels in, any number out.

What comes in is mixed: H is the mean of the hematocrits and D_F that of the diameters, by flow. Daughter i with the
share F_i of the blood gets the share of the cells

    E_i = w_i / sum_j w_j,   w_i = exp(a_i) (F_i - X0)_+^B,   a_i = sum_j F_j A_ij,   H_i = H E_i / F_i

with A_ij, B and X0 of the law for one vessel that divides into i and j. Two daughters have exactly this law, since
a_1 - a_2 = A_12 and logit[(F - X0) / (1 - 2 X0)] = log[(F_1 - X0) / (F_2 - X0)]. More of them are treated alike,
whatever their order, no cell is lost, and a daughter whose flow vanishes leaves the law of the others. (Other programs
let cells follow the flow where more than three vessels meet.) Where no share exceeds X0 the largest flow has all cells.

The law may give a narrow daughter more cells than blood holds. No daughter gets beyond (1 + H) / 2, half the way from H
to cells alone; the cells above go to the other daughters, by the room that they have left. That binds for feeding
vessels of a few micrometres, and in the older law near H = 1. It leaves alone a junction where one of two daughters
hardly flows, which so gets plasma for any H < 1, as the law says: a fixed largest hematocrit would fill it with cells
wherever the others had reached that.

    distribute      the rule, once, at all junctions
    derivatives     of the rule, as sparse matrices
    sweep           hematocrits that obey the rule, in one pass along the flow
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from sojourn.kernels import vessels as kernel
from sojourn.processes.blood.rheology import Separation, separation_1989, separation_2005

SEPARATIONS: dict[str, Callable[..., Separation[Tensor]]] = {"2005": separation_2005, "1989": separation_1989}
_KERNEL_LAWS = {separation_2005: kernel.LAW_2005, separation_1989: kernel.LAW_1989}


class AtNodes(NamedTuple):
    """The vessels at each node, as rectangles: d is the largest number that meet."""

    slots: np.ndarray  # (N, d): a vessel, or 0 where there is none
    signs: np.ndarray  # (N, d): 1 where it begins, -1 where it ends, 0 where there is none
    places: np.ndarray  # (V, 2): where in `slots`, flattened, the two ends of each vessel are


def at_nodes(ends: np.ndarray, nodes: int) -> AtNodes:
    """The vessels at each of so many nodes, from their `ends`, (V, 2)."""
    flat = ends.reshape(-1)
    order = np.argsort(flat, kind="stable")
    counts = np.bincount(flat, minlength=nodes)
    within = np.empty_like(flat)
    within[order] = np.arange(flat.size) - np.repeat(np.cumsum(counts) - counts, counts)
    degree = int(counts.max())
    places = flat * degree + within
    slots, signs = np.zeros(nodes * degree, dtype=np.int64), np.zeros(nodes * degree)
    slots[places] = np.arange(flat.size) // 2
    signs[places] = 1.0 - 2.0 * (np.arange(flat.size) % 2)
    return AtNodes(slots.reshape(nodes, degree), signs.reshape(nodes, degree), places.reshape(-1, 2))


def distribute(
    flow: Tensor, hematocrit: Tensor, diameter: Tensor, entering: Tensor, at: AtNodes, law: Callable
) -> Tensor:
    """The hematocrit, (V,), that each vessel gets from the node where its blood comes from; 0 where nothing flows.

    Args:
        flow: (V,), along the vessel's direction, in any unit.
        hematocrit: (V,), of what flows to the nodes.
        diameter: (V,), m.
        entering: (N,), hematocrit of what enters at a node that no vessel feeds.
        law: `separation_2005` or `separation_1989`.
    """
    slots, signs = torch.from_numpy(at.slots), torch.from_numpy(at.signs)
    divided = _divided(signs * flow[slots], hematocrit[slots], diameter[slots], entering, law)
    return divided.reshape(-1)[torch.from_numpy(_source(flow.detach().numpy(), at))]


def derivatives(
    flow: Tensor, hematocrit: Tensor, diameter: Tensor, entering: Tensor, at: AtNodes, law: Callable
) -> tuple[sp.csr_array, sp.csr_array]:
    """The derivatives of `distribute` by flow and by hematocrit, (V, V) each."""
    slots, signs = torch.from_numpy(at.slots), torch.from_numpy(at.signs)
    q, h = ((signs * flow[slots]).requires_grad_(), hematocrit[slots].requires_grad_())
    with torch.enable_grad():
        divided = _divided(q, h, diameter[slots], entering, law)
        # Junctions do not know of each other, so one backward pass gives the derivatives of one slot at all of them.
        passes = [torch.autograd.grad(divided[:, s].sum(), (q, h), retain_graph=True) for s in range(slots.shape[1])]
    by_flow, by_hematocrit = (torch.stack(x, 1) for x in zip(*passes, strict=True))  # (N, d, d): of slot, by slot
    rows, columns = np.broadcast_arrays(at.slots[:, :, None], at.slots[:, None, :])
    out = np.broadcast_to((q.detach().numpy() > 0)[:, :, None], rows.shape)
    shape = (len(flow), len(flow))

    def matrix(values: Tensor) -> sp.csr_array:
        return sp.csr_array((values.numpy()[out], (rows[out], columns[out])), shape=shape)

    return matrix(by_flow * signs[:, None, :]), matrix(by_hematocrit)


def sweep(
    pressure: np.ndarray, flow: np.ndarray, diameter: np.ndarray, entering: np.ndarray, at: AtNodes, law: Callable
) -> np.ndarray:
    """The hematocrits, (V,), with which `distribute` changes nothing: node after node, by falling pressure."""
    hematocrit = np.empty_like(flow)
    order = np.argsort(-pressure, kind="stable")
    kernel.sweep(order, at.slots, at.signs, flow, 1e6 * diameter, entering, _KERNEL_LAWS[law], hematocrit)
    return hematocrit


def _divided(q: Tensor, h: Tensor, diameter: Tensor, entering: Tensor, law: Callable) -> Tensor:
    """Hematocrits, (N, d), of what leaves through each slot, where q > 0; zero elsewhere."""
    arriving, leaving = (-q).clamp(min=0), q.clamp(min=0)
    come, left = arriving.sum(1), leaving.sum(1)
    fed = come > 0
    whole = torch.where(fed, come, 1.0)
    mixed = torch.where(fed, (arriving * h).sum(1) / whole, entering)
    feeding = torch.where(
        fed, (arriving * diameter).sum(1) / whole, 1e-6
    )  # any would do: nodes not fed have one vessel
    share = leaving / torch.where(left > 0, left, 1.0)[:, None]

    one = law(feeding[:, None, None], diameter[:, :, None], diameter[:, None, :], mixed[:, None, None])
    preference = torch.where(q > 0, (one.A * share[:, None, :]).sum(2), 0.0)
    preference = preference - preference.detach().amax(1, keepdim=True)  # their mean by flow is zero
    weight = torch.exp(preference) * (share - one.X0[:, :, 0]).clamp(min=0) ** one.B[:, :, 0]
    total = weight.sum(1, keepdim=True)
    largest = (share == share.amax(1, keepdim=True)).to(share)
    largest = largest / largest.sum(1, keepdim=True)
    cells = torch.where(total > 0, weight / torch.where(total > 0, total, 1.0), largest)
    divided = mixed[:, None] * cells / torch.where(share > 0, share, 1.0)

    most = 0.5 * (1 + mixed)[:, None]
    excess = (share * (divided - most).clamp(min=0)).sum(1, keepdim=True)
    room = (most - divided).clamp(min=0)
    filled = excess / (share * room).sum(1, keepdim=True).clamp(min=torch.finfo(share.dtype).tiny)
    capped = torch.minimum(divided, most) + room * filled.clamp(max=1)
    return torch.where(q > 0, capped, 0.0)


def _source(flow: np.ndarray, at: AtNodes) -> np.ndarray:
    """Where in the flattened slots each vessel's blood comes from."""
    return np.where(flow > 0, at.places[:, 0], at.places[:, 1])

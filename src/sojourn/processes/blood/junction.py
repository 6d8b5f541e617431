"""Where a robot goes at a node: streamlines that arrive are joined to those that leave.

In a vessel of unit radius, seen along the flow, x is the coordinate in the direction in which the node parts its
vessels, and

    G(x) = (phi - 2/3 sin 2 phi + 1/12 sin 4 phi) / pi,   x = -cos phi

is the share of Poiseuille's flow that passes on the near side of x. Vessels that meet at the node are put in order by
angle and share [0, 1] in proportion to their flows, arriving and leaving ones alike; a robot keeps its place in [0, 1].
Across, it keeps z / sqrt(1 - x^2), whose law under the flow is the same on every chord. So the map conserves the flow:
robots that are spread as the flow is leave so, and a daughter gets the share of them that it gets of the flow. Against
the flow it is its own inverse. It is a model: secondary flows in the bend are left out, and the dividing surface is
plane. A robot whose streamline comes nearer to the wall than its radius is set down in contact with it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sojourn.processes.blood.motion import TINY, Body, Move, Vessels, flow

if TYPE_CHECKING:
    from sojourn.processes.blood.network import VesselNetwork

# phi / k in k^2, k = (15 pi G / 8)^(1/5), for G <= 1/2: to 1e-4, the first two coefficients exactly
START = (1.0, 2 / 21, 0.0176248, 0.02910306, -0.02509744, 0.01289757)
NEAR = 0.05  # phi from which G can be evaluated in this form; nearer to the wall START is better


class Junctions(NamedTuple):
    """Ends of vessels, and which of them meet. End 2 v is where vessel v begins, 2 v + 1 where it ends.

    A vessel with a flow of zero counts as flowing along. Where others flow its interval is empty: robots come out of
    it, and nobody is led in. At a node where nothing flows all might feed, or none; there one vessel changes sides,
    or nobody would pass.
    """

    feeds: Tensor  # bool (2 V,): blood flows through it to the node
    boundary: Tensor  # bool (2 V,): an end of the network
    low: Tensor  # (2 V,): where its interval of [0, 1] begins, and
    share: Tensor  # (2 V,): how long it is
    direction: Tensor  # (2 V, 2): of x, in the vessel's n1 and n2
    sign: Tensor  # (2 V,): 1 where blood flows along the vessel, -1 where against
    first: Tensor  # int64 (2 V,): of the ends of the other kind at its node, the first in `order`, and
    count: Tensor  # int64 (2 V,): how many they are
    order: Tensor  # int64 (2 V,): ends by node and kind, in the order of their intervals


def junctions(network: VesselNetwork, flow: Tensor) -> Junctions:
    """How the vessels of a network meet under these flows, (V,), m^3/s."""
    ends = network.vessels.cpu().numpy()
    frames = network.frames.detach().cpu().numpy()
    q = flow.detach().cpu().numpy()
    nodes, node = len(network.nodes), ends.reshape(-1)
    to_it = np.arange(len(node)) % 2 == 1
    size = np.repeat(np.abs(q), 2)
    feeds = _on_two_sides(np.repeat(q >= 0, 2) == to_it, size, node)
    sign = np.where(feeds == to_it, 1.0, -1.0)
    along = sign[:, None] * np.repeat(frames[:, 0], 2, axis=0)  # with the flow
    through, sideways = _axes(node, nodes, along, size)
    m, g = through[node], sideways[node]
    outward = np.where(feeds[:, None], -along, along)
    angle = np.arctan2((outward * g).sum(1), (along * m).sum(1))
    order = np.lexsort((angle, feeds, node))
    group = 2 * node + feeds
    total, members = np.bincount(group, size, 2 * nodes), np.bincount(group, minlength=2 * nodes)
    share = np.where(total[group] > 0, size / np.where(total > 0, total, 1)[group], 1 / members[group])
    begin = np.concatenate([[0], np.cumsum(members)])
    reached = np.concatenate([[0], np.cumsum(share[order])])
    low = np.empty_like(share)
    low[order] = reached[:-1] - reached[begin[group[order]]]
    x = _directions(np.repeat(frames, 2, axis=0), along, m, g)
    alone = np.bincount(node)[node] == 1
    found = (feeds, alone, low, share, x, sign, begin[group ^ 1], members[group ^ 1], order)
    return Junctions._make(torch.from_numpy(values) for values in found)


class Crossing(NamedTuple):
    """Where robots are after a step that led beyond an end."""

    vessel: Tensor  # int64 (n,)
    along: Tensor  # (n,), m
    across: Tensor  # (n, 2), m
    gone: Tensor  # bool (n,): left by an outlet
    left: Tensor  # (n,): the share of the step that was left at the end


def cross(
    at: Junctions, vessels: Vessels, body: Body, vessel: Tensor, along: Tensor, across: Tensor, moved: Move, dt: float
) -> Crossing:
    """Robots whose place `along` is outside their vessel, led on, off by an outlet, or turned back at an inlet.

    What a step leads beyond the end it leads into the next vessel, but that for the time left the flow is that of the
    new place: d + left dt (u_new - u_old). So a suspension that flows steadily stays as it is.

    Args:
        vessels: of all vessels.
        vessel, along, across: of robots, (n,), (n,) and (n, 2).
        moved: what led them there.
    """
    length = vessels.length[vessel]
    ahead = along > length
    over = torch.where(ahead, along - length, -along)
    left = (over / moved.along.abs()).clamp(max=1)
    end = 2 * vessel + ahead.long()
    meets, gone = at.count[end] > 0, at.feeds[end] & at.boundary[end]
    back = torch.minimum(torch.where(ahead, length - over, over).clamp(min=0), length)
    along = torch.where(gone, torch.where(ahead, length, 0), back)
    if not bool(meets.any()):
        return Crossing(vessel, along, across, gone, left)

    who = meets.nonzero()[:, 0]
    new, place = onward(at, end[who], across[who], vessels.radius[vessel[who]])
    into = vessels.of(new // 2)
    y = place * into.radius[:, None]
    r, limit = y.square().sum(1).sqrt(), into.radius - body.radius
    y = torch.where((r > limit)[:, None], y * (limit / r.clamp(min=TINY))[:, None], y)
    before = torch.where(ahead[who], moved.velocity[who], -moved.velocity[who])  # out of the old vessel, and
    now = flow(into, body, y.square().sum(1).sqrt()) * (1 - 2 * (new % 2))  # into the new one
    far = torch.minimum((over[who] + left[who] * dt * (now - before)).clamp(min=0), into.length)
    return Crossing(
        vessel.index_put((who,), new // 2),
        along.index_put((who,), torch.where(new % 2 == 0, far, into.length - far)),
        across.index_put((who,), y),
        gone,
        left,
    )


def onward(at: Junctions, end: Tensor, y: Tensor, radius: Tensor) -> tuple[Tensor, Tensor]:
    """The end through which a robot goes on from `end`, and its place across there over the radius, (n, 2).

    Args:
        at: of `junctions`.
        end: (n,), one that others meet (`count` above zero).
        y: (n, 2), the place across, m.
        radius: (n,), of the vessel, m.
    """
    w, sign = at.direction[end], at.sign[end]
    x = ((y * w).sum(1) / radius).clamp(-1, 1)
    half = torch.sqrt(1 - x * x)
    z = sign * (y[:, 1] * w[:, 0] - y[:, 0] * w[:, 1]) / radius
    relative = torch.where(half > 0, z / torch.where(half > 0, half, 1), 0).clamp(-1, 1)
    place = at.low[end] + at.share[end] * flow_share(x)
    new = at.order[at.first[end]]
    for k in range(1, int(at.count[end].max())):
        other = at.order[(at.first[end] + k).clamp(max=len(at.order) - 1)]
        new = torch.where((k < at.count[end]) & (at.low[other] <= place) & (at.share[other] > 0), other, new)
    share = at.share[new]
    x, half = quantile(((place - at.low[new]) / torch.where(share > 0, share, 1)).clamp(0, 1))
    z = at.sign[new] * relative * half
    w = at.direction[new]
    return new, torch.stack([x * w[:, 0] - z * w[:, 1], x * w[:, 1] + z * w[:, 0]], 1)


def flow_share(x: Tensor) -> Tensor:
    """G(x): the share of Poiseuille's flow in the unit disc to the left of x, in [-1, 1]."""
    tail = _tail(torch.acos(x.abs()))
    return torch.where(x < 0, tail, 1 - tail)


def quantile(share: Tensor) -> tuple[Tensor, Tensor]:
    """The x with G(x) = share, and sqrt(1 - x^2), by two steps of Newton's method from START."""
    tail = torch.minimum(share, 1 - share)
    k = (15 * math.pi / 8 * tail) ** 0.2
    z = k * k
    phi = torch.zeros_like(k)
    for coefficient in reversed(START):
        phi = phi * z + coefficient
    phi = phi * k
    for _ in range(2):
        slope = 8 / (3 * math.pi) * torch.sin(phi) ** 4
        phi = torch.where(k > NEAR, phi - (_tail(phi) - tail) / torch.where(k > NEAR, slope, 1), phi)
    x = torch.cos(phi)
    return torch.where(share < 0.5, -x, x), torch.sin(phi)


def _tail(phi: Tensor) -> Tensor:
    """G(-cos phi)."""
    return (phi - 2 / 3 * torch.sin(2 * phi) + torch.sin(4 * phi) / 12) / math.pi


def _on_two_sides(feeds: np.ndarray, size: np.ndarray, node: np.ndarray) -> np.ndarray:
    """Which ends feed their nodes, such that at each node one does and one does not: in a steady flow that is so but
    where flows are nothing or rounding, and there the end with the least changes sides."""
    count, feeding = np.bincount(node), np.bincount(node, feeds)
    stuck = (count > 1) & ((feeding == 0) | (feeding == count))
    found = feeds.copy()
    order = np.lexsort((size, node))
    least = order[np.concatenate([[0], np.cumsum(count)[:-1]])]  # the first of each node; every node has a vessel
    found[least[stuck]] ^= True
    return found


def _axes(node: np.ndarray, nodes: int, along: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of each node, (N, 3): where its blood goes on the whole, and across that how its vessels part."""
    through = np.zeros((nodes, 3))
    largest = np.zeros(nodes)
    np.maximum.at(largest, node, size)
    weight = np.where(largest[node] > 0, size / np.where(largest > 0, largest, 1)[node], 1)
    np.add.at(through, node, weight[:, None] * along)
    norm = np.linalg.norm(through, axis=1, keepdims=True)
    anyone = np.zeros((nodes, 3))
    anyone[node] = along
    through = np.where(norm > 1e-6, through / np.where(norm > 1e-6, norm, 1), anyone)
    beside = along - (along * through[node]).sum(1, keepdims=True) * through[node]
    scatter = np.zeros((nodes, 3, 3))
    np.add.at(scatter, node, beside[:, :, None] * beside[:, None, :])
    values, vectors = np.linalg.eigh(scatter)
    sideways = np.where(values[:, 2:] > 1e-12, vectors[:, :, 2], _perpendicular(through))
    sideways -= (sideways * through).sum(1, keepdims=True) * through
    return through, sideways / np.linalg.norm(sideways, axis=1, keepdims=True)


def _directions(frames: np.ndarray, along: np.ndarray, through: np.ndarray, sideways: np.ndarray) -> np.ndarray:
    """The direction of x at each end in n1 and n2, (2 V, 2): in the node's plane, at right angles to the vessel."""
    x = np.cross(np.cross(through, sideways), along)
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    x = np.where(norm > 1e-6, x / np.where(norm > 1e-6, norm, 1), frames[:, 1])
    pair = (frames[:, 1:] * x[:, None]).sum(2)
    return pair / np.linalg.norm(pair, axis=1, keepdims=True)


def _perpendicular(vectors: np.ndarray) -> np.ndarray:
    """A unit vector at right angles to each, (n, 3)."""
    axis = np.eye(3)[np.abs(vectors).argmin(axis=1)]
    found = np.cross(vectors, axis)
    return found / np.linalg.norm(found, axis=1, keepdims=True)

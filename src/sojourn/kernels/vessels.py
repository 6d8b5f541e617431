"""The sweep that hands red cells on from node to node of a network of vessels, along the flow.

`sojourn.processes.blood.phase_separation.distribute` is the rule in PyTorch, for all nodes at once; here nodes come by
falling pressure, so what comes in is known before what goes out, and one pass solves the rule everywhere.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

LAW_1989, LAW_2005 = 1989, 2005


@njit(cache=True, nogil=True, error_model="numpy")
def sweep(order, slots, signs, flow, diameter, entering, law, hematocrit):
    """Writes the discharge hematocrit of every vessel, (V,); 0 where nothing flows.

    Args:
        order: nodes, (N,), by falling pressure.
        slots, signs: the vessels at each node, (N, d); 1 where one begins, -1 where it ends, 0 for an empty slot.
        flow: (V,), along the vessel's direction, of the sign of the pressure's fall.
        diameter: (V,), um.
        entering: hematocrit, (N,), of what enters at a node that no vessel feeds.
        law: LAW_1989 or LAW_2005.
    """
    degree = slots.shape[1]
    leaving = np.empty(degree, dtype=np.int64)
    share, preference, divided = np.empty(degree), np.empty(degree), np.empty(degree)
    hematocrit[:] = 0.0
    for node in order:
        come = cells = feeding = leave = 0.0
        daughters = 0
        for s in range(degree):
            v = slots[node, s]
            q = signs[node, s] * flow[v]
            if q < 0.0:
                come -= q
                cells -= q * hematocrit[v]
                feeding -= q * diameter[v]
            elif q > 0.0:
                leave += q
                leaving[daughters] = v
                share[daughters] = q
                daughters += 1
        mixed = cells / come if come > 0.0 else entering[node]
        if daughters == 1:
            hematocrit[leaving[0]] = mixed
        elif daughters > 1 and mixed > 0.0:
            for i in range(daughters):
                share[i] /= leave
            feeding = feeding / come if come > 0.0 else 1.0
            _divide(daughters, share, leaving, diameter, feeding, mixed, law, preference, divided)
            _cap(daughters, share, divided, 0.5 * (1.0 + mixed))
            for i in range(daughters):
                hematocrit[leaving[i]] = divided[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _divide(daughters, share, leaving, diameter, feeding, mixed, law, preference, divided):
    """Hematocrits of the daughters by the law alone."""
    k = (1.0 - mixed) / feeding
    steepness = 1.0 + 6.98 * k
    least = 0.964 * k if law == LAW_2005 else 0.4 / feeding
    highest = -math.inf
    for i in range(daughters):
        a = diameter[leaving[i]]
        total = 0.0
        for j in range(daughters):
            b = diameter[leaving[j]]
            if law == LAW_2005:
                total += share[j] * 13.29 * k * (b * b - a * a) / (a * a + b * b)
            else:
                total += share[j] * 6.96 * math.log(b / a) / feeding
        preference[i] = total
        highest = max(highest, total)
    whole = 0.0
    for i in range(daughters):
        beyond = share[i] - least
        divided[i] = math.exp(preference[i] - highest) * beyond**steepness if beyond > 0.0 else 0.0
        whole += divided[i]
    if whole == 0.0:  # the largest flow has all cells; equal ones share them
        largest = 0.0
        for i in range(daughters):
            largest = max(largest, share[i])
        for i in range(daughters):
            divided[i] = 1.0 if share[i] == largest else 0.0
            whole += divided[i]
    for i in range(daughters):
        divided[i] *= mixed / whole / share[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _cap(daughters, share, divided, most):
    """What exceeds the most goes to the others, by the room that they have."""
    excess = room = 0.0
    for i in range(daughters):
        excess += share[i] * max(divided[i] - most, 0.0)
        room += share[i] * max(most - divided[i], 0.0)
    if excess > 0.0:
        filled = min(excess / room, 1.0) if room > 0.0 else 0.0
        for i in range(daughters):
            divided[i] = min(divided[i], most) + max(most - divided[i], 0.0) * filled

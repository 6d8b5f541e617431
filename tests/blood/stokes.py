"""What tests of mobility share: Stokes flow round a body by point forces inside it, free or above a wall at z = 0."""

import math

import numpy as np


def sphere(count):
    """Points that are spread evenly over the unit sphere."""
    k = np.arange(count) + 0.5
    z, angle = 1 - 2 * k / count, math.pi * (1 + math.sqrt(5)) * k
    return np.stack((np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z), -1)


def free(x, y):
    """G with u(x) = G f for a force f at y in a fluid of viscosity 1, (n, m, 3, 3)."""
    r = x[:, None] - y[None]
    size = np.linalg.norm(r, axis=-1)[..., None, None]
    return (np.eye(3) / size + r[..., :, None] * r[..., None, :] / size**3) / (8 * math.pi)


def walled(x, y):
    """As `free`, with no slip at z = 0: Blake, Proc. Camb. Phil. Soc. 70 (1971), 303."""
    mirror = np.array([1.0, 1.0, -1.0])
    r, h = x[:, None] - (y * mirror)[None], y[None, :, 2, None, None]
    size = np.linalg.norm(r, axis=-1)[..., None, None]
    up, unit = np.array([0.0, 0.0, 1.0]), np.eye(3)
    # d/dR_k of h R_i / R^3 - (delta_i3 / R + R_i R_3 / R^3), as [i, k]
    outer, z = r[..., :, None] * r[..., None, :], r[..., 2, None, None]
    inner = h * (unit / size**3 - 3 * outer / size**5)
    inner = inner + up[:, None] * r[..., None, :] / size**3
    inner = inner - (unit * z + r[..., :, None] * up) / size**3 + 3 * outer * z / size**5
    return free(x, y) - free(x, y * mirror) + 2 * h * inner * mirror / (8 * math.pi)


def resistance(body, inside, centre, flow=free):
    """R (6, 6), (F, T) = R (U, w), by points on the body and point forces inside; and what solves other flows."""
    matrix = flow(body, inside).transpose(0, 2, 1, 3).reshape(3 * len(body), 3 * len(inside))
    moved = rigid(body - centre).reshape(-1, 6)
    collected = rigid(inside - centre).reshape(-1, 6)

    def drag(velocity):
        """(F, T) that the body exerts where its surface moves with these velocities, columns of (3 n, k)."""
        return collected.T @ np.linalg.lstsq(matrix, velocity, rcond=1e-13)[0]

    return drag(moved), drag


def rigid(x):
    """(n, 3, 6): U + w x X."""
    out = np.zeros((len(x), 3, 6))
    out[:, :, :3] = np.eye(3)
    for k in range(3):
        out[:, :, 3 + k] = np.cross(np.eye(3)[k], x)
    return out

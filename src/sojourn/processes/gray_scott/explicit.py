"""Explicit Runge-Kutta steps y -> y' of y_t = f(y) for states, and the Gray-Scott reaction."""

from __future__ import annotations

from collections.abc import Callable

from sojourn.process import State

Derivative = Callable[[State], State]


def reaction(u, v, feed_rate, kill_rate):
    """-u v^2 + F (1 - u)  and  u v^2 - (F + k) v."""
    eaten = u * v * v
    return feed_rate * (1 - u) - eaten, eaten - (feed_rate + kill_rate) * v


def euler(f: Derivative, y: State, dt: float) -> State:
    """y' = y + dt f(y); order 1."""
    return _add(y, dt, f(y))


def heun(f: Derivative, y: State, dt: float) -> State:
    """k1 = f(y), k2 = f(y + dt k1), y' = y + dt/2 (k1 + k2); order 2."""
    k1 = f(y)
    k2 = f(_add(y, dt, k1))
    return {name: y[name] + dt / 2 * (k1[name] + k2[name]) for name in y}


def rk4(f: Derivative, y: State, dt: float) -> State:
    """The classical Runge-Kutta method of order 4."""
    k1 = f(y)
    k2 = f(_add(y, dt / 2, k1))
    k3 = f(_add(y, dt / 2, k2))
    k4 = f(_add(y, dt, k3))
    return {name: y[name] + dt / 6 * (k1[name] + 2 * k2[name] + 2 * k3[name] + k4[name]) for name in y}


EXPLICIT = {"euler": euler, "heun": heun, "rk4": rk4}

REAL_STABILITY = {"euler": 2.0, "heun": 2.0, "rk4": 2.785293563405282}
"""The largest x for which y_t = -(x/dt) y does not grow: |R(-x)| = 1."""


def _add(y: State, dt: float, k: State) -> State:
    return {name: y[name] + dt * k[name] for name in y}

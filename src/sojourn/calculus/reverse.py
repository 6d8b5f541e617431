"""A diffusion in reverse time, and the ordinary equation with the same marginals.

With Y_s = X_(T-s) and all coefficients at the time T - s of the forward process:
dY = [-a + div S + S grad log p] ds + B dW,   S = B rho B^T,   (div S)_i = sum_k d_k S_ik
which is dx = [a - div S - S grad log p] dt + B dW with dt < 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sympy as sp

from sojourn.errors import InputError

if TYPE_CHECKING:
    from sojourn.calculus.process import ItoProcess


def reverse(X: ItoProcess, score: Any = None) -> ItoProcess:
    """The process Y_s = X_(T-s), whose time, again called t, is s = T - t and runs from 0 to T.

    T is a new parameter, named T (T_end where the process has a parameter T). Started from the law of X_T, the law of Y
    at s is that of X at T - s.

    Args:
        score: grad log p(t, x) in FORWARD time: an expression, or one for each state. None: that of the exact law where
            `law` knows it, else an unknown function score(t, x).

    Raises:
        InputError: the process has jumps; the score has not one entry for each state.

    Source: Anderson, Stochastic Processes and their Applications 12 (1982); Haussmann and Pardoux, Annals of
    Probability 14 (1986), for the hypotheses.
    """
    a, S, gradient = _parts(X, score)
    backward = [-a[i] + _divergence(X, S, i) + sum(S[i, k] * g for k, g in enumerate(gradient)) for i in range(len(a))]
    T = end_time(X)
    flip: dict[Any, Any] = {X.time: T - X.time}
    drift = [_plain(sp.sympify(e).subs(flip)) for e in backward]
    diffusion = {W: [e.subs(flip) for e in column] for W, column in X.columns.items()}
    return _process(X, drift, diffusion)


def probability_flow(X: ItoProcess, score: Any = None) -> ItoProcess:
    """dx = [a - 1/2 div S - 1/2 S grad log p] dt in forward time: a process without noise with the marginals of X.

    Args:
        score: as in `reverse`.

    Source: Song et al., Score-Based Generative Modeling through SDEs (2021), appendix D.1.
    """
    a, S, gradient = _parts(X, score)
    drift = [
        _plain(a[i] - _divergence(X, S, i) / 2 - sum(S[i, k] * g for k, g in enumerate(gradient)) / 2)
        for i in range(len(a))
    ]
    return _process(X, drift, {})


def end_time(X: ItoProcess) -> sp.Symbol:
    """The symbol of the final time in `reverse`."""
    taken = {symbol.name for symbol in (*X.parameters, *X.states)}
    return sp.Symbol("T_end" if "T" in taken else "T", positive=True)


def _parts(X: ItoProcess, score: Any) -> tuple[tuple[sp.Expr, ...], sp.Matrix, list[sp.Expr]]:
    if X.jump_columns:
        raise InputError(
            f"jumps of {', '.join(map(str, X.jump_columns))}: the reverse of a process with jumps is not known"
        )
    return X.drifts, X.covariance(), _score(X, score)


def _score(X: ItoProcess, score: Any) -> list[sp.Expr]:
    if score is None:
        from sojourn.calculus.laws import law

        try:
            return list(law(X._with(values={}), X.time).score)
        except InputError:
            t, x = X.time, X.states
            if X.scalar:
                return [sp.Function("score")(t, *x)]
            return [sp.Function(f"score_{y.name}")(t, *x) for y in x]
    given: Any = score
    listed = list(given) if isinstance(score, (list, tuple, sp.MatrixBase)) else [given]
    if len(listed) != len(X.states):
        raise InputError(f"score has {len(listed)} entries; {len(X.states)} states need {len(X.states)}")
    return [sp.sympify(e) for e in listed]


def _divergence(X: ItoProcess, S: sp.Matrix, i: int) -> sp.Expr:
    return sum((sp.diff(S[i, k], y) for k, y in enumerate(X.states)), sp.S.Zero)


def _plain(e: sp.Expr) -> sp.Expr:
    return sp.simplify(e) if e.count_ops() < 100 else e


def _process(X: ItoProcess, drift: list[sp.Expr], diffusion: dict[Any, list[sp.Expr]]) -> ItoProcess:
    from sojourn.calculus.process import ItoProcess

    if X.scalar:
        return ItoProcess(X.state, drift[0], {W: c[0] for W, c in diffusion.items()}, values=X.values)
    return ItoProcess(X.state, drift, diffusion, values=X.values)

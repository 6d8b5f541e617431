"""An Ito process in symbols: dX_i = a_i(t, X) dt + sum_k B_ik(t, X) dW_k + sum_l c_il(t, X, Y) dN_l.

Everything else in this room is a function of it; `methods` are the short way to call them.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sympy as sp

from sojourn.calculus.methods import Calculus
from sojourn.calculus.noises import Brownian, Poisson, check_correlation
from sojourn.errors import InputError
from sojourn.processes.ito.coefficients import Coefficients

if TYPE_CHECKING:
    from sojourn.processes.ito.discretised import Discretised


_OPTIONS = {"substeps", "dtype"}  # of `discretise`
_ENTRIES, _STATES = ("entry", "entries"), ("state needs", "states need")


class ItoProcess(Calculus):
    """A diffusion, with jumps where asked for, of one state or several.

    Args:
        state: the symbol of the state, or several for a system.
        drift: a(t, X), an expression; one for each state of a system.
        diffusion: Brownian motion -> what it moves the state by: an expression, or one for each state.
        initial: the value at time 0; one for each state of a system. It may be a symbol.
        jumps: Poisson process -> the size of its jumps; as `diffusion`.
        values: numbers for parameters, by name; better given by calling: `X(mu=0.05)`.

    The symbol named t is time. For one state `drift`, `initial` and the values of `diffusion` and `jumps` are
    expressions, for a system they are column vectors.
    """

    def __init__(
        self,
        state: sp.Symbol | Sequence[sp.Symbol],
        drift: Any,
        diffusion: Mapping[Brownian, Any],
        *,
        initial: Any = None,
        jumps: Mapping[Any, Any] | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        self.scalar = isinstance(state, sp.Symbol)
        self.states: tuple[sp.Symbol, ...] = (state,) if isinstance(state, sp.Symbol) else tuple(state)
        if not self.states or not all(isinstance(s, sp.Symbol) for s in self.states):
            raise InputError(f"state={state!r} is not a symbol or several; make them with symbols('S')")
        if len({s.name for s in self.states}) < len(self.states):
            raise InputError(f"states {self.states} need different names")
        if not isinstance(diffusion, Mapping):
            raise InputError(f"diffusion={diffusion!r} does not say of which motion; write {{W: {diffusion!r}}}")
        if not isinstance(jumps or {}, Mapping):
            raise InputError(f"jumps={jumps!r} does not say of which process; write {{N: {jumps!r}}}")
        for noise in diffusion:
            if not isinstance(noise, Brownian):
                raise InputError(f"diffusion names {noise!r}, which is no Brownian motion; make one with brownian('W')")
        for noise in jumps or {}:
            if not isinstance(noise, Poisson):
                raise InputError(
                    f"jumps name {noise!r}, which is no Poisson process; make one with poisson('N', rate=...)"
                )
        self.noises: tuple[Brownian, ...] = tuple(diffusion)
        self.drifts = self._vector("drift", drift)
        self.columns = {W: self._vector(f"diffusion of {W}", b) for W, b in diffusion.items()}
        self.jump_columns = {N: self._vector(f"jump of {N}", c) for N, c in (jumps or {}).items()}
        self.starts = None if initial is None else self._vector("initial", initial)
        self.values = dict(values or {})
        self.time = self._find_time()
        self._check()

    # ------------------------------------------------------------------------------------------------- what it is

    @property
    def drift(self) -> Any:
        """a: an expression, or a column vector."""
        return self._shown(self.drifts)

    @property
    def diffusion(self) -> dict[Brownian, Any]:
        """Brownian motion -> its column of B."""
        return {W: self._shown(column) for W, column in self.columns.items()}

    @property
    def jumps(self) -> dict[Any, Any]:
        """Poisson process -> the jumps it causes."""
        return {N: self._shown(column) for N, column in self.jump_columns.items()}

    @property
    def initial(self) -> Any:
        """The value at time 0, or None."""
        return None if self.starts is None else self._shown(self.starts)

    @property
    def state(self) -> Any:
        """The symbol of the state; of a system, a tuple of them."""
        return self.states[0] if self.scalar else self.states

    @property
    def parameters(self) -> tuple[sp.Symbol, ...]:
        """Symbols that are neither a state, nor time, nor a noise: those that may be given numbers; sorted by name."""
        own = {*self.states, self.time}
        return tuple(
            sorted((s for s in self._symbols() - own if not self._is_noise(s)), key=lambda symbol: symbol.name)
        )

    def correlation(self) -> sp.Matrix:
        """rho, in the order of `noises`."""
        return sp.Matrix(len(self.noises), len(self.noises), lambda i, j: self.noises[i].correlation(self.noises[j]))

    def covariance(self) -> sp.Matrix:
        """B rho B^T: d[X_i, X_k]/dt of the continuous part."""
        if not self.noises:
            return sp.zeros(len(self.states), len(self.states))
        B = sp.Matrix.hstack(*(sp.Matrix(self.columns[W]) for W in self.noises))
        return B * self.correlation() * B.T

    # ------------------------------------------------------------------------------------------- numbers for symbols

    def __call__(self, **values: Any) -> ItoProcess:
        """The same process with numbers for some parameters; a number may be a tensor that asks for its gradient.

        Raises:
            InputError: there is no such parameter, a value is no finite real number, or correlations become impossible.
        """
        known = {symbol.name for symbol in self.parameters}
        for name in values:
            if name not in known:
                raise InputError(f"the process has no parameter {name!r}; it has {', '.join(sorted(known)) or 'none'}")
        return self._with(values={**self.values, **values})

    def starting(self, initial: Any) -> ItoProcess:
        """The same process begun elsewhere: a value, or one for each state."""
        return self._with(initial=[initial] if self.scalar else initial)

    def numeric(self) -> ItoProcess:
        """The process with the given numbers in the places of their symbols; tensors stay symbols."""
        numbers = {s: sp.sympify(v) for s, v in self.given().items() if isinstance(v, (int, float, sp.Expr))}
        return self.subs(numbers) if numbers else self

    def given(self) -> dict[sp.Symbol, Any]:
        """Symbol -> the value it was given."""
        return {s: self.values[s.name] for s in self.parameters if s.name in self.values}

    def subs(self, places: Any) -> ItoProcess:
        """The process with expressions in the places of parameters."""
        from sojourn.calculus.noises import substitute

        def put(vector: Sequence[sp.Expr]) -> list[sp.Expr]:
            return [e.subs(places) for e in vector]

        renamed = substitute((*self.noises, *self.jump_columns), places)
        gone = {s.name for s in places}
        return self._with(
            drift=put(self.drifts),
            diffusion={renamed[W]: put(column) for W, column in self.columns.items()},
            jumps={renamed[N]: put(column) for N, column in self.jump_columns.items()},
            initial=None if self.starts is None else put(self.starts),
            values={name: value for name, value in self.values.items() if name not in gone},
        )

    def read(self, f: Any) -> tuple[sp.Expr, sp.Symbol]:
        """f as an expression in the symbols of this process, and the symbol of time in both.

        Raises:
            InputError: f is no expression, or names a state or time by a symbol made with other assumptions.
        """
        try:
            f = sp.sympify(f, strict=True)
        except sp.SympifyError:
            raise InputError(f"{f!r} is not an expression in symbols and numbers") from None
        if not isinstance(f, sp.Expr):
            raise InputError(f"{f!r} is not an expression; give one such as {self.states[0]}**2")
        time, known = self.time, {s.name: s for s in self.states}
        symbols: set[Any] = f.free_symbols
        for s in symbols:
            if s.name in known and s != known[s.name]:
                raise InputError(
                    f"{s} in {f} is not the state {s}: their assumptions differ; make the symbol once and use it twice"
                )
            if s.name == "t" and s != time:
                if self.uses_time(sp.S.Zero):
                    raise InputError("two different symbols are called t; make it once: symbols('t', positive=True)")
                time = s
        return f, time

    def uses_time(self, f: sp.Expr) -> bool:
        """Whether time stands in a coefficient or in f."""
        symbols: set[Any] = self._symbols() | f.free_symbols
        return any(s.name == "t" for s in symbols)

    # ---------------------------------------------------------------------------------------------------- simulation

    def coefficients(self) -> Coefficients:
        """a and B for independent Brownian motions: B times a square root of the correlations."""
        from sojourn.calculus.noises import square_root

        if self.jump_columns:
            raise InputError(
                f"jumps of {', '.join(map(str, self.jump_columns))} are not simulated; leave them out, or use the "
                f"calculus"
            )
        L = square_root(self._regular(self.correlation()))
        rows = [[self.columns[W][i] for W in self.noises] for i in range(len(self.states))]
        B = (sp.Matrix(rows) * L) if self.noises else sp.zeros(len(self.states), 1)
        keep = [j for j in range(B.shape[1]) if any(B[i, j] != 0 for i in range(B.shape[0]))] or [0]
        diffusion = tuple(tuple(B[i, j] for j in keep) for i in range(B.shape[0]))
        return Coefficients(self.time, self.states, self.drifts, diffusion, self.parameters)

    def discretise(self, dt: float, scheme: str = "euler", **options: Any) -> Discretised:
        """The process in steps of `dt`, for `simulate`; see `sojourn.processes.ito.discretised.Discretised`."""
        from sojourn.processes.ito.discretised import Discretised
        from sojourn.processes.ito.exact_square_root import ExactSquareRoot, form

        coefficients = self.coefficients()
        values = {n: float(v) if isinstance(v, sp.Expr) and v.is_number else v for n, v in self.values.items()}
        numbers = {s: values[s.name] for s in self.given() if isinstance(values[s.name], (int, float))}
        start: dict[str, Any] = {}
        for symbol, value in zip(self.states, self.starts or (), strict=False):
            value = values.get(value.name, value) if isinstance(value, sp.Symbol) else value.subs(numbers)
            if isinstance(value, sp.Expr) and value.is_number:
                if not (value.is_real and value.is_finite):
                    raise InputError(f"the initial {symbol} = {value} is not a finite real number")
                value = float(value)
            start[symbol.name] = value
        if unknown := sorted(set(options) - _OPTIONS):
            raise InputError(f"discretise has no option {unknown[0]!r}; there are: {', '.join(sorted(_OPTIONS))}")
        make = ExactSquareRoot if scheme == "exact" and form(coefficients) else Discretised
        return make(coefficients, values, start, dt=dt, scheme=scheme, **options)

    # ------------------------------------------------------------------------------------------------------- private

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ItoProcess) and self._data() == other._data()

    def __hash__(self) -> int:
        return hash(self.states + self.drifts)

    def _data(self) -> tuple[Any, ...]:
        return self.scalar, self.states, self.drifts, self.columns, self.jump_columns, self.starts, self.values

    def _with(self, **changes: Any) -> ItoProcess:
        parts = {
            "drift": list(self.drifts),
            "diffusion": {W: list(c) for W, c in self.columns.items()},
            "jumps": {N: list(c) for N, c in self.jump_columns.items()},
            "initial": None if self.starts is None else list(self.starts),
            "values": self.values,
        }
        parts |= changes
        if self.scalar:
            parts["drift"] = parts["drift"][0]
            parts["diffusion"] = {W: c[0] for W, c in parts["diffusion"].items()}
            parts["jumps"] = {N: c[0] for N, c in parts["jumps"].items()}
            parts["initial"] = None if parts["initial"] is None else parts["initial"][0]
        return ItoProcess(self.state, **parts)

    def _vector(self, what: str, value: Any) -> tuple[Any, ...]:
        entries: Any = value
        several = isinstance(value, (Sequence, sp.MatrixBase)) and not isinstance(value, str)
        listed = list(entries) if several else [value]
        if len(listed) != len(self.states):
            have, need = (_counted(n, *word) for n, word in ((len(listed), _ENTRIES), (len(self.states), _STATES)))
            raise InputError(f"{what} has {have}; {need} {len(self.states)}")
        try:
            found = tuple(sp.sympify(v, strict=True) for v in listed)
        except (sp.SympifyError, ValueError, TypeError):
            found = (None,)
        if not all(isinstance(e, sp.Expr) for e in found):
            raise InputError(f"{what}={value!r} is not an expression in symbols and numbers")
        return found

    def _regular(self, correlation: sp.Matrix) -> sp.Matrix:
        """The correlations; in numbers where these make them singular, and a root in symbols would divide by 0."""
        import numpy as np

        numbers = {s: v for s, v in self.given().items() if isinstance(v, (int, float))}
        known = correlation.subs(numbers)
        if not correlation.free_symbols or known.free_symbols:
            return correlation
        lowest = np.linalg.eigvalsh(np.array(known.tolist(), dtype=float)).min()
        return known if lowest < 1e-9 else correlation

    def _shown(self, vector: tuple[sp.Expr, ...]) -> Any:
        return vector[0] if self.scalar else sp.Matrix(vector)

    def _symbols(self) -> set[Any]:
        vectors = [self.drifts, self.starts or (), *self.columns.values(), *self.jump_columns.values()]
        found = {s for vector in vectors for e in vector for s in e.free_symbols}
        found -= {N.mark for N in self.jump_columns}
        found = found.union(*(N.parameters for N in self.jump_columns))
        return found.union(*(W.correlation(V).free_symbols for W in self.noises for V in self.noises))

    def _find_time(self) -> sp.Symbol:
        called = {s for s in self._symbols() if s.name == "t"}
        if len(called) > 1:
            raise InputError("two different symbols are called t; make it once, with symbols('t', positive=True)")
        return called.pop() if called else sp.Symbol("t", positive=True)

    def _is_noise(self, symbol: Any) -> bool:
        return isinstance(symbol, Brownian) or symbol in self.jump_columns

    def _check(self) -> None:
        for name, value in self.values.items():
            _check_number(name, value)
        for N in self.jump_columns:
            if N.mark in self.states:
                raise InputError(f"the mark {N.mark} of {N} is also a state; give the mark a name of its own")
        names = [n.name for n in (*self.noises, *self.jump_columns)]
        if len(set(names)) < len(names):
            raise InputError(
                f"two noises share a name in {', '.join(names)}; make Brownian motions in one call of brownian"
            )
        if self.time in self.states:
            raise InputError("t is time, and cannot be a state; call the state otherwise")
        for s in self._symbols():
            if isinstance(s, Brownian):
                raise InputError(
                    f"{s} stands in a coefficient; make it a state: ItoProcess([..., B], diffusion={{{s}: [..., 1]}})"
                )
        if self.values and self.noises:
            numbers = {s: v for s, v in self.given().items() if isinstance(v, (int, float))}
            check_correlation(sp.ImmutableMatrix(self.correlation().subs(numbers)), tuple(W.name for W in self.noises))


def _counted(n: int, one: str, more: str) -> str:
    return f"{n} {one if n == 1 else more}"


def _check_number(name: str, value: Any) -> None:
    """Raises InputError unless it is a finite real number, an expression, or a tensor, which is for the simulator."""
    if hasattr(value, "shape") and not isinstance(value, (sp.Basic, numbers.Number)):
        return
    real = isinstance(value, numbers.Real) or (isinstance(value, sp.Expr) and value.is_extended_real is not False)
    if not real or sp.sympify(value).is_finite is False or sp.sympify(value) is sp.nan:
        raise InputError(f"{name}={value!r} is not a finite real number; give a number or a tensor of them")

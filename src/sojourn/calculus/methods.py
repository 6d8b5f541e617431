"""How a process is asked for its calculus: short ways to call the functions of the other files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sojourn.calculus.shown import Shown

if TYPE_CHECKING:
    from sojourn.calculus.differential import Differential
    from sojourn.calculus.girsanov import ChangeOfMeasure
    from sojourn.calculus.lamperti import Transformed
    from sojourn.calculus.laws import Law
    from sojourn.calculus.martingales import MartingaleTest
    from sojourn.calculus.moments import MomentEquations
    from sojourn.calculus.noises import Brownian
    from sojourn.calculus.process import ItoProcess
    from sojourn.calculus.steps import Derived
    from sojourn.calculus.stratonovich import StratonovichProcess
    from sojourn.calculus.taylor import ItoTaylor


class Calculus(Shown):
    """The methods of `ItoProcess` that its declaration and its simulator do without."""

    def of(self: Any, f: Any) -> Differential:
        """df(t, X) by Ito's chain rule; `.drift`, `.diffusion`, `.jumps`, `.steps`. See `differential.chain`."""
        from sojourn.calculus.differential import chain

        return chain(self, f)

    def product(self: Any, other: ItoProcess) -> Differential:
        """d(XY) = X dY + Y dX + d[X, Y]. See `differential.product`."""
        from sojourn.calculus.differential import product

        return product(self, other)

    def quotient(self: Any, other: ItoProcess) -> Differential:
        """d(X/Y) = dX/Y - X dY/Y^2 - d[X, Y]/Y^2 + X d[Y]/Y^3. See `differential.quotient`."""
        from sojourn.calculus.differential import quotient

        return quotient(self, other)

    def covariation(self: Any, other: ItoProcess | None = None) -> Derived:
        """d[X, Y]/dt of the continuous parts; of X with itself where no other is given. See `covariation`."""
        from sojourn.calculus.differential import covariation

        return covariation(self, self if other is None else other)

    def to_stratonovich(self: Any) -> StratonovichProcess:
        """The same process as dX = a' dt + B o dW; `.to_ito()` goes back. See `stratonovich`."""
        from sojourn.calculus.stratonovich import from_ito

        return from_ito(self)

    def girsanov(self: Any, theta: Mapping[Brownian, Any]) -> ChangeOfMeasure:
        """The process under the measure that makes dW + theta dt a Brownian motion. See `girsanov`."""
        from sojourn.calculus.girsanov import change_measure

        return change_measure(self, theta)

    def doleans_dade(self: Any) -> Derived:
        """The stochastic exponential of X: exp(X - X_0 - [X]/2). See `martingales`."""
        from sojourn.calculus.martingales import doleans_dade

        return doleans_dade(self)

    def is_martingale(self: Any, f: Any = None) -> MartingaleTest:
        """Whether f(t, X), by default X, has no drift. See `martingales.martingale_test`."""
        from sojourn.calculus.martingales import martingale_test

        return martingale_test(self, self.state if f is None else f)

    def generator(self: Any, f: Any) -> Derived:
        """(Lf)(x) = a . grad f + 1/2 B rho B^T : hess f, and jumps; f_t too where f depends on t. See `generator`."""
        from sojourn.calculus.generator import generator

        return generator(self, f)

    def adjoint(self: Any, p: Any) -> Derived:
        """L* p = -div(a p) + 1/2 sum_ik d_i d_k ((B rho B^T)_ik p). See `generator`."""
        from sojourn.calculus.generator import adjoint

        return adjoint(self, p)

    def kolmogorov_backward(self: Any, u: Any = None) -> Derived:
        """u_t + Lu = 0 with its terminal condition; u by another letter where it is taken. See `kolmogorov`."""
        from sojourn.calculus.kolmogorov import backward
        from sojourn.calculus.names import unused

        return backward(self, unused("u v w", self) if u is None else u)

    def kolmogorov_forward(self: Any, p: Any = None) -> Derived:
        """p_t = L* p, the Fokker-Planck equation, with its flux and boundary conditions. See `kolmogorov`."""
        from sojourn.calculus.kolmogorov import forward
        from sojourn.calculus.names import unused

        return forward(self, unused("p q", self) if p is None else p)

    def feynman_kac(self: Any, payoff: Any, *, discount: Any = 0, source: Any = 0, u: Any = None) -> Derived:
        """The equation of E[exp(-int r) payoff(X_T) + int exp(-int r) source ds | X_t = x]. See `kolmogorov`."""
        from sojourn.calculus.kolmogorov import feynman_kac
        from sojourn.calculus.names import unused

        name = unused("u v w", self) if u is None else u
        return feynman_kac(self, payoff, discount=discount, source=source, u=name)

    def moments(self: Any, order: int = 2) -> MomentEquations:
        """dE[X^k]/dt for all |k| <= order, and whether they close. See `moments`."""
        from sojourn.calculus.moments import moment_equations

        return moment_equations(self, order)

    def solve(self: Any) -> Derived:
        """The explicit solution of a linear SDE. See `linear`."""
        from sojourn.calculus.linear import solve

        return solve(self)

    def scale_function(self: Any, reference: Any = None) -> Derived:
        """s(x) with L s = 0, for one state. See `one_dimensional`."""
        from sojourn.calculus.one_dimensional import scale_function

        return scale_function(self, reference)

    def speed_density(self: Any, reference: Any = None) -> Derived:
        """m(x) = 2 / (B^2 s'), for one state. See `one_dimensional`."""
        from sojourn.calculus.one_dimensional import speed_density

        return speed_density(self, reference)

    def lamperti(self: Any, name: str = "Y") -> Transformed:
        """The process Y = int dx / B, whose noise has coefficient 1, for one state. See `lamperti`."""
        from sojourn.calculus.lamperti import lamperti

        return lamperti(self, name)

    def law(self: Any, t: Any = None) -> Law:
        """The exact law of X_t, where it is known: Brownian motion, OU, GBM, CIR, Bessel, bridge. See `laws`."""
        from sojourn.calculus.laws import law

        return law(self, self.time if t is None else t)

    def commutes(self: Any) -> Derived:
        """Whether the noise commutes: all brackets Lj B_k - Lk B_j. See `taylor`."""
        from sojourn.calculus.taylor import commutativity

        return commutativity(self)

    def ito_taylor(self: Any, order: float = 1.5) -> ItoTaylor:
        """The coefficients of the Ito-Taylor expansion up to a strong order. See `taylor`."""
        from sojourn.calculus.taylor import ito_taylor

        return ito_taylor(self, order)

    def reverse(self: Any, score: Any = None) -> ItoProcess:
        """The process in reverse time, dx = [a - div(BB^T) - BB^T grad log p] dt + B dW. See `reverse`."""
        from sojourn.calculus.reverse import reverse

        return reverse(self, score)

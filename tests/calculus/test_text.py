"""Equations as text: what is read, that nothing is executed, and that bad text is told in one line with its place."""

import contextlib
import time

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn import InputError
from sojourn.calculus import parse_expression, parse_process
from sojourn.calculus.overview import overview
from sojourn.calculus.text import parse_function, parse_values

X, mu, sigma, kappa, theta, S, v, xi = (
    sp.Symbol(name, real=True) for name in ("X", "mu", "sigma", "kappa", "theta", "S", "v", "xi")
)


def test_a_single_equation():
    process = parse_process("dX = mu*X*dt + sigma*X*dW")
    (W,) = process.noises
    assert (process.state, process.drift, process.diffusion) == (X, mu * X, {W: sigma * X})
    assert (W.name, process.initial) == ("W", None)
    assert [s.name for s in process.parameters] == ["mu", "sigma"]


def test_a_system_with_correlation():
    process = parse_process(
        "dS = mu*S*dt + sqrt(v)*S*dW1; dv = kappa*(theta - v)*dt + xi*sqrt(v)*dW2; dW1*dW2 = 0.3*dt"
    )
    first, second = process.noises
    assert process.states == (S, v)
    assert list(process.drift) == [mu * S, kappa * (theta - v)]
    assert list(process.diffusion[first]) == [sp.sqrt(v) * S, 0]
    assert first.correlation(second) == sp.Rational(3, 10)


@pytest.mark.parametrize(
    ("text", "drift"),
    [
        ("dX = -X^3*dt", -(X**3)),
        ("dX = -X**3*dt + dW", -(X**3)),
        ("dX = dt*(X - theta)*2 - dt", 2 * (X - theta) - 1),
        ("dX = κ·(θ − X)·dt + σ·dW", kappa * (theta - X)),
        ("dX = 0.1*dt", sp.Rational(1, 10)),
        ("dX = 1e-3*X*dt", X / 1000),
        ("dX = sin(2*pi*t)*dt", sp.sin(2 * sp.pi * sp.Symbol("t", positive=True))),
        ("dX = E*dt/2 + dW/3", sp.E / 2),
        ("dX = Max(X, 0)*dt", sp.Max(X, 0)),
        ("dX = +dW", 0),
        ("dX = 2^3^2*dt", 512),
        ("dX = lambda*dt", sp.Symbol("lambda", real=True)),
        ("dX = λ*dt", sp.Symbol("lambda", real=True)),
        ("dX = ln(2)*erf(X)*dt", sp.log(2) * sp.erf(X)),
        ("dX = (asin(X) + acos(X))*sign(X)*dt", (sp.asin(X) + sp.acos(X)) * sp.sign(X)),
        ("dX = -2^2*dt", -4),
    ],
)
def test_what_is_read(text, drift):
    assert parse_process(text).drift == drift


@pytest.mark.parametrize("name", ["E", "pi", "I", "S", "N", "log", "lambda"])
def test_a_state_is_itself_whatever_its_name(name):
    """OU: a state with the name of a constant or a function is no constant."""
    process = parse_process(f"d{name} = -2*{name}*dt + dW")
    state = sp.Symbol(name, real=True)
    assert (process.state, process.drift, process.parameters) == (state, -2 * state, ())
    assert parse_expression(f"{name}^2", process) == state**2
    W = sp.Symbol("W", real=True)
    assert list(parse_process("dX = W*dW; dW = dW").diffusion.values()) == [sp.Matrix([W, 1])]


def test_powers_of_one_base_are_joined():
    """Lamperti's transform of Chan, Karolyi, Longstaff and Sanders (1992) and of SABR: noise of coefficient 1."""
    ckls = parse_process("dX = kappa*(theta - X)*dt + sigma*X^gamma*dW")
    assert list(ckls.of(parse_function("X^(1-gamma)/(1-gamma)", ckls)).diffusion.values()) == [sigma]
    sabr = parse_process("dF = a*F^beta*dW1; da = nu*a*dW2; dW1*dW2 = rho*dt")
    found = sabr.of(parse_function("F^(1-beta)/(1-beta)", sabr))
    assert list(found.diffusion.values()) == [sp.Symbol("a", real=True)]


@pytest.mark.parametrize(
    "text",
    [
        "(1+X+t)^10/(2+sin(X))^3*exp(-X^2)",
        "(1+X+t)^60/(2+sin(X))^30*exp(-X^2)",
        "(1+X)^1000",
        "(((1+X)^3+t)^3+mu)^3*X^mu",
        "(X^2+X*t+1)^8/(X+t)^7",
        "sin(" * 9 + "X" + ")" * 9,
    ],
)
def test_long_functions_are_right_and_take_no_time(text):
    """The chain rule's drift and noise in numbers; seconds, where multiplying out would take minutes."""
    process = parse_process("dX = mu*X*dt + sigma*X*dW")
    f, begun = parse_function(text, process), time.process_time()
    found = process.of(f)
    assert time.process_time() - begun < 3
    t, x = process.time, process.state
    want = [sp.diff(f, t) + mu * x * sp.diff(f, x) + sigma**2 * x**2 * sp.diff(f, x, 2) / 2, sigma * x * sp.diff(f, x)]
    places = {t: 0.3, x: 0.2, mu: 0.7, sigma: 1.1}
    for have, e in zip((found.drift, *found.diffusion.values()), want, strict=True):
        assert sp.N(have.subs(places), 30) == pytest.approx(sp.N(e.subs(places), 30), rel=1e-12)
        assert have.free_symbols <= {t, x, mu, sigma}


@pytest.mark.parametrize("text", ["(1+X+t)^10/(2+sin(X))^3*exp(-X^2)", "tan(X)*tanh(X)*atan(X)"])
def test_long_functions_are_tested_and_inverted_in_no_time(text):
    process = parse_process("dX = mu*X*dt + sigma*X*dW")
    f, begun = parse_function(text, process), time.process_time()
    assert process.is_martingale(f).local is False
    with pytest.raises(InputError, match="has no single inverse in X"):
        process.of(f).as_process()
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("drift", ["sin(" * 25 + "X" + ")" * 25, "(1+X)^1000", "(1+t)^60*X"])
def test_the_overview_of_long_coefficients_takes_no_time(drift):
    begun = time.process_time()
    titles = [section.title for section in overview(parse_process(f"dX = {drift}*dt + dW"))]
    assert time.process_time() - begun < 3
    assert titles[:3] == ["Ito equation", "Stratonovich form", "Generator"]


def test_functions_have_names_of_the_process_only():
    process = parse_process("dX = mu*X*dt + sigma*X*dW")
    assert parse_function("exp(-mu*t)*X*W", process) == parse_expression("exp(-mu*t)*X*W", process)
    with pytest.raises(InputError) as error:
        parse_function("log(x)", process)
    assert str(error.value) == '"x" in "log(x)" does not stand in the equation; known are X, mu, sigma, t, W'
    assert process.of(parse_function("2*t", process)).notes == ("no state stands in f; the states are X",)


def test_motions_are_shared_between_equations():
    process = parse_process("dX = dW; dY = X*dW + dB")
    assert [W.name for W in process.noises] == ["W", "B"]
    assert process.covariance() == sp.Matrix([[1, X], [X, X**2 + 1]])


def test_expressions_use_the_symbols_of_the_process():
    process = parse_process("dX = mu*X*dt + sigma*X*dW")
    W = process.noises[0]
    assert parse_expression("exp(-mu*t)*X*W", process) == sp.exp(-mu * process.time) * X * W
    assert process.of(parse_expression("log(X)", process)).drift == mu - sigma**2 / 2


def test_values():
    assert parse_values("mu=0.05, sigma = 1/5; k=2^3") == {"mu": 0.05, "sigma": 0.2, "k": 8.0}
    assert parse_values("σ=0.2, lambda=1, λ1=2") == {"sigma": 0.2, "lambda": 1.0, "lambda1": 2.0}
    assert parse_values(" ") == {}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.recursive(
        st.sampled_from([X, mu, sigma, sp.Integer(2), sp.Rational(1, 3)]),
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda p: p[0] + p[1]),
            st.tuples(inner, inner).map(lambda p: p[0] * p[1]),
            st.tuples(inner, inner).map(lambda p: p[0] - p[1]),
            st.tuples(st.sampled_from([sp.sin, sp.exp, sp.tanh, sp.Abs]), inner).map(lambda p: p[0](p[1])),
        ),
        max_leaves=8,
    )
)
def test_what_sympy_prints_is_read_back(expression):
    assert parse_expression(sp.sstr(expression)) == expression


BAD = [
    ("", "the equation is empty"),
    (" ; ", "the equation is empty"),
    ("dX", '"dX" is not an equation with one "="'),
    ("dX = a = b", 'is not an equation with one "="'),
    ("X = 3*dt", 'the left side "X" is not "dX"'),
    ("dt = 3*dt", "makes time a state"),
    ("dX = mu*X", 'in dX the part "X*mu" has no dt and no dW'),
    ("dX = dW*dW", "is not linear in dW"),
    ("dX = dt/dW", "is not linear in dW"),
    ("dX = mu X dt", 'cannot be read after "mu", at "X dt"; write products with *'),
    ("dX = (mu*X*dt", 'a bracket is never closed: "(mu*X*dt"'),
    ("dX = mu*X*dt +", "cannot be read"),
    ("dX = $*dt", 'cannot be read at its beginning, "$*dt"'),
    ("dX = foo(X)*dt", '"foo(X)" in "foo(X)*dt" calls no known function; known are exp, log'),
    ("dX = is*dt", 'the name "is" in "is*dt" is a word of Python'),
    ("dX = 2X*dt", 'cannot be read at "2X"; write 2*X'),
    ("dX = -X*dt + 2*W*dW", "W stands in a coefficient, and dW is a Brownian motion; make it a state"),
    ("dX = dW1 + dW2; dW1*dW2 = W1*dt", "W1 stands in a coefficient"),
    ("dX = mu*X*dt + sigma*X*dZ", '"dZ" in dX is no noise: Brownian motions begin with dW or dB'),
    ("dX = X*dt + X*dN", "jumps are written in Python"),
    ("dX = sqrt*dt", '"sqrt" in "sqrt*dt" is a function and needs its argument'),
    ("dX = exp(X, 2)*dt", "has 2 arguments; exp takes 1 argument"),
    ("dX = Max(X)*dt", "has 1 arguments; Max takes 2 or more"),
    ("dX = 1/0*dt", '"1/0" in "1/0*dt" divides by 0'),
    ("dX = log(0)*dt", "is not finite"),
    ("dX = sqrt(-1)*dt", "is not real"),
    ("dX = 1j*dt", '"1j" in "1j*dt" is not a number'),
    ("dX = 1e999*dt", "is too large"),
    ("dX = 9^9^9^9*dt", "has an exponent above 1000"),
    ("dX = ((9^999)^999)^999*dt", "is too large"),
    ("dX = X*dt @ 3", "uses a sign that is none of + - * / ^"),
    ("dX = dt; dX = dW", "dX stands on the left twice"),
    ("dX = dW1; dW1*dW2 = dt", "speaks of dW2, which stands in no equation"),
    ("dX = dt; dW1*dW2 = dt", "speaks of a Brownian motion that stands in no equation"),
    ("dX = dW1 + dW2; dW1*dW2 = 2*dt", "correlation of W1 and W2 is 2, outside [-1, 1]"),
    ("dX = dW1 + dW2; dW1*dW2 = 0.5", "is not a number times dt"),
    ("dX = dW1; dW1*dW1 = 0.5*dt", "dW1*dW1 is dt; leave the entry out"),
    ("dW1*dW2 = 0.5*dt", "there is no equation of a state"),
    ("dX = " + "(" * 300 + "1" + ")" * 300 + "*dt", "cannot be read"),
    ("dX = " + "-" * 3000 + "dt", "cannot be read"),
    ("dX = " + "1+" * 3000 + "dt", "the text has 6007 characters"),
    # what would do harm, were it executed
    ("dX = __import__('os').system('true')*dt", "calls no known function"),
    ("dX = X.__class__*dt", "is not a number, a name"),
    ("dX = [1][0]*dt", "is not a number, a name"),
    ("dX = (y := 3)*dt", "is not an equation"),
    ("dX = (lambda: 3)()*dt", "cannot be read"),
    ("dX = 'a'*dt", "is not a number, a name"),
    ("dX = exp(*X)*dt", "has more than plain arguments"),
    ("dX = exp(x=X)*dt", "is not"),
    ("dX = True*dt", "word of Python"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[text[:24] for text, _ in BAD])
def test_bad_text_is_told_in_one_line(text, message):
    with pytest.raises(InputError) as error:
        parse_process(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mu", '"mu" is not name=number'),
        ("mu=a", 'mu="a" is not a finite real number'),
        ("mu=sqrt(-1)", "is not a finite real number"),
        ("mu=1, mu=2", "mu is given twice"),
        ("mu=0.05 sigma=.2", '"mu=0.05 sigma=.2" has two "="; write commas between'),
        ("3=4", "is not name=number"),
    ],
)
def test_bad_values(text, message):
    with pytest.raises(InputError, match="values: ") as error:
        parse_values(text)
    assert message in str(error.value)


PIECES = [*"XWt=+-*/^()., 0123;\n_'\"[]{}@:!#~", "dt", "dW", "dX =", "exp", "sqrt(", "if", "1e9", "0x1", "1_0", "..."]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), max_size=20))
def test_any_text_is_an_equation_or_bad_input(pieces):
    with contextlib.suppress(InputError):
        assert parse_process("dX = " + "".join(pieces)).states

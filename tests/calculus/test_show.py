"""How formulas are shown: in Unicode, LaTeX and Typst, held to what a person writes; every Typst formula compiles."""

import sys

import pytest
import sympy as sp

from sojourn import InputError, cli
from sojourn.calculus import ItoProcess, brownian, isometry, ito, parse_process, poisson, symbols, table
from sojourn.calculus.plain import plain
from sojourn.calculus.show import derivation, latex, text, typst

t, S, V, mu, sigma, kappa, theta, xi, lam = symbols("t S V mu sigma kappa theta xi lambda", positive=True)
x, y, Y, rho, k, n = symbols("x y Y rho k n", real=True)
W = brownian("W")
W1, W2 = brownian("W1 W2", correlation=rho)
N = poisson("N", rate=lam, mark=Y, law={1: sp.Rational(1, 2), -1: sp.Rational(1, 2)})
f, u, p = sp.Function("f"), sp.Function("u"), sp.Function("p")
GBM = ItoProcess(S, mu * S, {W: sigma * S})
HESTON = ItoProcess([S, V], [mu * S, kappa * (theta - V)], {W1: [sp.sqrt(V) * S, 0], W2: [0, xi * sp.sqrt(V)]})
MERTON = ItoProcess(S, mu * S, {W: sigma * S}, jumps={N: S * (sp.exp(Y) - 1)})

# expression: Unicode, LaTeX, Typst
FORMULAS = [
    (mu - sigma**2 / 2, "μ - σ²/2", r"\mu - \frac{\sigma^{2}}{2}", "mu - frac(sigma^(2), 2)"),
    (-mu * x, "-μ x", r"-\mu x", "-mu x"),
    (theta - x, "θ - x", r"\theta - x", "theta - x"),
    (kappa * (theta - x), "κ (θ - x)", r"\kappa \left(\theta - x\right)", "kappa (theta - x)"),
    (x / (y + 1), "x/(y + 1)", r"\frac{x}{y + 1}", "frac(x, y + 1)"),
    ((x + 1) / y, "(x + 1)/y", r"\frac{x + 1}{y}", "frac(x + 1, y)"),
    (1 / (2 * x), "1/(2 x)", r"\frac{1}{2 x}", "frac(1, 2 x)"),
    (-1 / x**2, "-1/x²", r"-\frac{1}{x^{2}}", "-frac(1, x^(2))"),
    (sp.sqrt(V) * S, "S √V", r"S \sqrt{V}", "S sqrt(V)"),
    (sp.sqrt(x + 1), "√(x + 1)", r"\sqrt{x + 1}", "sqrt(x + 1)"),
    (sp.cbrt(S), "∛S", r"\sqrt[3]{S}", "root(3, S)"),
    (S ** sp.Rational(3, 2), "S^(3/2)", r"S^{\frac{3}{2}}", "S^(frac(3, 2))"),
    (x**n, "xⁿ", "x^{n}", "x^(n)"),
    ((x + y) ** 2, "(x + y)²", r"\left(x + y\right)^{2}", "(x + y)^(2)"),
    (sp.exp(-kappa * t), "exp(-κ t)", r"e^{-\kappa t}", "e^(-kappa t)"),
    (sp.log(S / 2), "log(S/2)", r"\log\left(\frac{S}{2}\right)", "log (frac(S, 2))"),
    (sp.sin(x) ** 2, "(sin(x))²", r"\left(\sin\left(x\right)\right)^{2}", "(sin (x))^(2)"),
    (sp.erf(x), "erf(x)", r"\operatorname{erf}\left(x\right)", 'op("erf") (x)'),
    (sp.Abs(x), "|x|", r"\left|x\right|", "abs(x)"),
    (sp.Max(S, 1), "max(1, S)", r"\max\left(1, S\right)", "max (1, S)"),
    (sp.pi / 2 + sp.oo, "∞", r"\infty", "infinity"),
    (sp.Float("0.25") * x, "0.25 x", "0.25 x", "0.25 x"),
    (sp.Float("1.5e-9"), "1.5 × 10⁻⁹", r"1.5 \times 10^{-9}", "1.5 times 10^(-9)"),
    (sp.Symbol("x_1"), "x₁", "x_{1}", "x_(1)"),
    (sp.Symbol("sigma_max"), "σ_max", r"\sigma_{\mathrm{max}}", 'sigma_("max")'),
    (sp.Symbol("x'"), "x′", "x'", "x'"),
    (sp.Symbol("feed"), "feed", r"\mathrm{feed}", '"feed"'),
    (sp.Symbol("lam"), "λ", r"\lambda", "lambda"),
    (sp.Derivative(u(t, x), t), "∂u/∂t", r"\frac{\partial u}{\partial t}", "frac(partial u, partial t)"),
    (
        sp.Derivative(f(x), (x, 2)),
        "d²f/dx²",
        r"\frac{\mathrm{d}^{2} f}{\mathrm{d} x^{2}}",
        "frac(dif^(2) f, dif x^(2))",
    ),
    (
        sp.Derivative(p(x, y), x, y),
        "∂²p/(∂x ∂y)",
        r"\frac{\partial^{2} p}{\partial x\,\partial y}",
        "frac(partial^(2) p, partial x partial y)",
    ),
    (
        sp.Derivative(x**2 * p(t, x), (x, 2)) / 2,
        "½ ∂²/∂x² (x² p(t, x))",
        r"\frac{1}{2} \frac{\partial^{2}}{\partial x^{2}} \left(x^{2} p\left(t, x\right)\right)",
        "frac(1, 2) frac(partial^(2), partial x^(2)) (x^(2) p (t, x))",
    ),
    (
        sp.Integral(x**2, (x, 0, t)),
        "∫[0, t] x² dx",
        r"\int_{0}^{t} x^{2}\,\mathrm{d}x",
        "integral_(0)^(t) x^(2) dif x",
    ),
    (sp.Sum(x**k, (k, 0, n)), "Σ[k = 0 .. n] x^k", r"\sum_{k = 0}^{n} x^{k}", "sum_(k = 0)^(n) x^(k)"),
    (sp.Matrix([[1, x], [0, 1]]), "[1, x; 0, 1]", r"\begin{pmatrix} 1 & x \\ 0 & 1 \end{pmatrix}", "mat(1, x; 0, 1)"),
    (sp.Eq(x, y), "x = y", "x = y", "x = y"),
    (sp.Le(x, y), "x ≤ y", r"x \leq y", "x <= y"),
    (
        sp.Piecewise((x, x > 0), (0, True)),
        "{ x if x > 0; 0 otherwise }",
        r"\begin{cases} x & \text{if } x > 0 \\ 0 & \text{otherwise} \end{cases}",
        'cases(x & "if " x > 0, 0 & "otherwise")',
    ),
]


@pytest.mark.parametrize(("formula", "unicode", "tex", "typ"), FORMULAS, ids=[e[1] for e in FORMULAS])
def test_formulas(formula, unicode, tex, typ):
    assert (text(formula), latex(formula), typst(formula)) == (unicode, tex, typ)


def test_a_process_reads_as_in_a_textbook():
    assert text(GBM) == repr(GBM) == "dS = μ S dt + σ S dW"
    assert latex(GBM) == r"\mathrm{d}S_{t} = \mu S_{t}\,\mathrm{d}t + \sigma S_{t}\,\mathrm{d}W_{t}"
    assert typst(GBM) == "dif S_(t) = mu S_(t) dif t + sigma S_(t) dif W_(t)"
    assert text(HESTON) == "dS = μ S dt + S √V dW₁; dV = κ (θ - V) dt + ξ √V dW₂"
    assert latex(HESTON).startswith(r"\begin{aligned} \mathrm{d}S_{t}& = \mu S_{t}")
    assert text(GBM.to_stratonovich()) == "dS = S (μ - σ²/2) dt + σ S ∘ dW"
    assert text(ItoProcess(x, 0, {})) == "dx = 0"
    assert GBM._repr_latex_() == f"$\\displaystyle {latex(GBM)}$"


def test_a_derivation_reads_as_in_a_textbook():
    assert (
        derivation(GBM.of(sp.log(S)))
        == """\
the function
    f = log(S)
its partial derivatives
    f_S = 1/S
    f_SS = -1/S²
Ito's formula
    d log(S) = f_S dS + ½ f_SS (dS)²
with the derivatives
    d log(S) = 1/S dS - 1/(2 S²) (dS)²
by the table, in which all products with dt are 0
    (dW)² = dt
hence
    (dS)² = σ² S² dt
put in dS
    d log(S) = 1/S (μ S dt + σ S dW) - 1/(2 S²) (σ² S² dt)
collect the terms
    d log(S) = (μ - σ²/2) dt + σ dW"""
    )


def test_every_line_of_a_derivation_is_true():
    """What stands for df in each line of a derivation is the same form, once dS, dW and their products are put in."""
    from sojourn.calculus.steps import Form

    for found in (GBM.of(S**3 * sp.exp(-t)), HESTON.of(S * V**2), HESTON.of(sp.log(S) / V), ito(W1**2 * W2)):
        process = found.process
        own = {s: dict(_terms(process, i)) for i, s in enumerate(process.states)}
        own |= {n: {n: sp.S.One} for n in (*process.noises, found.time)}
        values = {step.left: step.right for step in found.steps if step.left.__class__.__name__ == "Partial"}
        left = Form.of([(1, found.value)], process.states)
        whole = {found.time: found.drift, **found.diffusion}
        lines = [step.right for step in found.steps if step.left == left]
        assert len(lines) >= 3
        for form in lines:
            total = _put(form, own, values, found.time)
            assert all(sp.simplify(total.get(s, 0) - whole.get(s, 0)) == 0 for s in {*total, *whole})


def _terms(process, i):
    return [(process.time, process.drifts[i]), *((n, column[i]) for n, column in process.columns.items())]


def _put(form, own, values, time):
    """A form as {t or W: coefficient}, with the table applied by its definition."""
    total = {}
    for coefficient, ds in form.terms:
        parts = [own[d] if isinstance(d, sp.Symbol) else _put(d, own, values, time) for d in ds]
        product = parts[0]
        for other in parts[1:]:
            pairs = [(a, b) for a in product for b in other if a != time and b != time]
            product = {time: sum((product[a] * other[b] * a.correlation(b) for a, b in pairs), sp.S.Zero)}
        for s, e in product.items():
            total[s] = total.get(s, 0) + coefficient.subs(values) * e
    return total


def test_the_table_is_shown():
    assert text(table(W1, W2)).splitlines() == [
        "      dt    dW₁   dW₂",
        "dt    0     0     0",
        "dW₁   0     dt    ρ dt",
        "dW₂   0     ρ dt  dt",
    ]
    assert latex(table(W)).startswith(r"\begin{array}{c|cc}")


def everything():
    """What is shown anywhere, for a compiler of formulas."""
    cir = ItoProcess(V, kappa * (theta - V), {W: xi * sp.sqrt(V)})
    shown = [
        GBM,
        HESTON,
        MERTON,
        table(W1, W2, N),
        HESTON.of(S * V),
        MERTON.of(sp.log(S)),
        GBM.product(cir),
        MERTON.quotient(MERTON),
        HESTON.covariation(),
        HESTON.to_stratonovich(),
        cir.to_stratonovich().of(sp.sqrt(V)),
        cir.girsanov({W: sp.sqrt(V)}),
        GBM.doleans_dade(),
        GBM.is_martingale(),
        isometry({W: x}),
        GBM.kolmogorov_forward(),
        GBM.kolmogorov_backward(),
        GBM.solve(),
        cir.scale_function(),
    ]
    return [*(formula for formula, *_ in FORMULAS), *shown]


def test_every_typst_formula_compiles():
    compiler = pytest.importorskip("typst", reason="needs the Python package typst")
    body = []
    for shown in everything():
        body.append(f"$ {typst(shown)} $")
        if getattr(shown, "steps", ()):
            body.append(f"$ {derivation(shown, 'typst')} $")
    assert len(body) > 60
    assert compiler.compile("\n\n".join(body).encode(), format="svg")


def test_latex_is_read_by_another_program():
    """Matplotlib's reader of mathematics takes every formula without an environment."""
    from matplotlib.mathtext import MathTextParser

    parser = MathTextParser("path")
    sources = [latex(shown) for shown in everything()]
    sources = [source for source in sources if r"\begin" not in source]
    assert len(sources) > 40
    for source in sources:
        parser.parse(f"${source}$")


def test_latex_is_balanced_and_ascii():
    """No LaTeX is at hand here; braces, environments and \\left ... \\right have to match, and no Unicode is left."""
    for shown in everything():
        for source in (latex(shown), derivation(shown, "latex") if getattr(shown, "steps", ()) else ""):
            assert source.isascii(), source
            depth = 0
            for left, right in (("{", "}"), (r"\left", r"\right")):
                assert source.count(left) == source.count(right), source
            for sign in source:
                depth += (sign == "{") - (sign == "}")
                assert depth >= 0
            assert source.count(r"\begin") == source.count(r"\end")


def test_jumps_are_compensated_in_words_and_forms():
    lines = derivation(MERTON.of(sp.log(S))).splitlines()
    assert "    d log(S) = (μ - σ²/2) dt + σ dW + Y dN" in lines
    assert "Ito's formula with jumps" in lines
    lines = derivation(MERTON.of(S)).splitlines()
    assert any(line.endswith("+ (S (exp(Y) - 1) dN - λ S (exp(-1)/2 - 1 + e/2) dt)") for line in lines)


def sojourn(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["sojourn", *arguments])
    code = 0
    try:
        cli.main()
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    return code, out, err


def test_the_command_line_derives(monkeypatch, capsys):
    code, out, _ = sojourn(monkeypatch, capsys, "ito", "dX = mu*X*dt + sigma*X*dW", "--of", "log(X)")
    assert code == 0
    assert "d log(X) = (μ - σ²/2) dt + σ dW" in out
    code, out, _ = sojourn(monkeypatch, capsys, "ito", "dX = mu*X*dt + sigma*X*dW", "--of=X^2", "--format=latex")
    assert r"X_{t}^{2} \left(2 \mu + \sigma^{2}\right)\,\mathrm{d}t" in out
    code, out, _ = sojourn(
        monkeypatch, capsys, "ito", "dX = mu*X*dt + sigma*X*dW", "--generator", "X^2", "--format=text"
    )
    assert "L f = 2 μ X² + σ² X²" in out


def test_results_are_shown_as_their_equations():
    X = ItoProcess(S, mu * S, {W: sigma * S}, initial=1)
    density = "√2 exp(-(σ² t/2 - μ t + log(S))²/(2 σ² t))/(2 √π σ √t S)"
    moments = "E[S] = exp(μ t); Var(S) = (exp(σ² t) - 1) exp(2 μ t)"
    assert repr(X.law()) == f"geometric Brownian motion, lognormal law; {moments}; p(S) = {density}"
    assert repr(X.moments(2)) == "dm₁/dt = μ m₁(t); dm₂/dt = (2 μ + σ²) m₂(t)"
    assert repr(X.ito_taylor(1)) == "increment of order 1 = μ I_(0) S + σ I_(1) S + σ² I_(1,1) S"
    assert repr(X.lamperti()) == "Y = log(S)/σ; dY = (μ/σ - σ/2) dt + dW"
    for result in (X.law(), X.moments(2), X.ito_taylor(1), X.lamperti(), X.is_martingale()):
        assert result._repr_latex_() == f"$\\displaystyle {result.latex()}$"
        assert "\\sigma" in result.latex()
        assert "sigma" in result.typst()


def test_functions_of_equations_are_not_called_as_states(monkeypatch, capsys):
    code, out, _ = sojourn(monkeypatch, capsys, "ito", "df = mu*f*dt + sigma*f*dW", "--of", "log(f)")
    assert code == 0
    assert "g_ff = -1/f²" in out
    for name, line in (("f", "L g = ½ d²g/df²"), ("u", "∂v/∂t + ½ ∂²v/∂u² = 0"), ("p", "∂q/∂t = ½ ∂²q/∂p²")):
        _, out, _ = sojourn(monkeypatch, capsys, "ito", f"d{name} = dW")
        assert line in out
    x, u = sp.symbols("x u", real=True)
    assert repr(ItoProcess(u, 0, {W: 1}).kolmogorov_backward()).startswith("∂v/∂t")
    assert repr(ItoProcess(x, 0, {W: 1}).feynman_kac(x**2)).startswith("∂u/∂t")


def test_the_command_line_shows_an_equation_at_a_glance(monkeypatch, capsys):
    code, out, _ = sojourn(monkeypatch, capsys, "ito", "dX = kappa*(theta - X)*dt + sigma*dW")
    assert code == 0
    for line in (
        "dX = κ (θ - X) dt + σ ∘ dW",
        "∂p/∂t = -∂/∂X (κ (θ - X) p(t, X)) + ½ ∂²/∂X² (σ² p(t, X))",
        "Ornstein-Uhlenbeck",
        "dE[X]/dt = κ θ - κ E[X]",
    ):
        assert line in out
    code, out, _ = sojourn(monkeypatch, capsys, "ito", "dX = (X - X^3)*dt + sigma*dW")
    assert "Law" not in out
    assert "Moments" not in out  # they do not close


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dX = foo(X)*dt"], 'sojourn: "foo(X)" in "foo(X)*dt" calls no known function'),
        (["dX = dW", "--of"], "--of needs a value"),
        (["dX = dW", "--off", "X"], "ito has no option --off; there are --of, --generator and --format"),
        (["dX = dW", "--of", "log(x)"], '"x" in "log(x)" does not stand in the equation; known are X, t, W'),
        (["dX = dW", "--of", "X+"], '"X+" cannot be read'),
        (["dX = dW", "--format", "word"], "format 'word' is not known; there are: text, latex, typst"),
        (["dX = dW", "dY = dW"], "ito takes one equation between quotation marks"),
        (["--of", "X"], "ito takes one equation between quotation marks"),
        (["dX = dW", "--of", "X", "--generator", "X"], "ito takes --of or --generator, not both"),
    ],
)
def test_bad_input_of_the_command_line(monkeypatch, capsys, arguments, message):
    code, _, err = sojourn(monkeypatch, capsys, "ito", *arguments)
    assert code == 2
    assert message in " ".join(err.split())


@pytest.mark.parametrize("X", [GBM, HESTON, ItoProcess(x, -(x**3), {W: sp.sqrt(1 + x**2)})])
def test_the_operators_shown_are_those_of_the_other_rooms(X):
    """What is shown is written with coefficients as given; carried out, it is the generator and its adjoint."""
    from sojourn.calculus.overview import _conserved, _operator

    arguments = (X.time, *X.states)
    assert sp.expand(_operator(X, f(*X.states)).doit() - X.generator(f(*X.states)).value) == 0
    shown, known = _conserved(X), X.kolmogorov_forward().value
    assert known.lhs == sp.Derivative(p(*arguments), X.time)
    assert sp.simplify(sp.expand(shown.rhs.doit() - known.rhs.doit())) == 0


def test_unknown_formats_are_told():
    with pytest.raises(InputError, match="format 'html' is not known"):
        derivation(GBM.of(S), "html")


def test_plain_is_short_for_formulas():
    assert plain(parse_process("dX = -X^2*dt").drift) == "-X²"

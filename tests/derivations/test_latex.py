"""LaTeX as people write it, read into trees. What is meant is written by hand, in the Typst that `printing` gives."""

from fractions import Fraction

import pytest

from sojourn.derivations.notation import grammar, latex, statements
from sojourn.derivations.notation.nodes import (
    Add,
    Belongs,
    Big,
    Bracket,
    Call,
    Constant,
    Derivative,
    Differential,
    Distributed,
    Divide,
    Dots,
    Function,
    Gradient,
    Mapping,
    Mean,
    Multiply,
    Negative,
    Number,
    Power,
    Range,
    Relation,
    Symbol,
    Transpose,
)
from sojourn.derivations.notation.printing import math
from sojourn.errors import InputError

KINDS = {"x": "number", "s": "number", "f": "function", "g": "function", "v": "vector", "s_theta": "field"}


def read(text, kinds=KINDS):
    tokens = latex.tokens(text)
    whole = statements.step if statements.has_relation(tokens) else grammar.expression
    return math(whole(tokens, kinds))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        # what a function without brackets takes
        (r"\frac12\log 2\pi\sigma^2", "frac(1, 2) log 2 pi sigma^2"),
        (r"\log x + 1", "log x + 1"),
        (r"\log a \log b", "log a log b"),
        (r"\log a \cdot b", "log a dot b"),
        (r"\log f(x) g(x)", "log f(x) g(x)"),
        (r"\log(x) y", "log(x) y"),
        (r"\sin^2 x + \cos^2(x)", "sin^2 x + cos^2 (x)"),
        (r"\exp\left\{-\tfrac{x^2}{2}\right\}", "exp{-frac(x^2, 2)}"),
        (r"\log_2 n", "log_2 n"),
        (r"\operatorname*{tr}(A) + \mathrm{tr}\, A", "tr(A) + tr A"),
        (r"\max(a, b) + \max_{i} a_i", "max(a, b) + max_i a_i"),
        # sums and products take what follows up to + and -
        (r"\sum_{i=1}^n a_i b_i + c", "sum_(i = 1)^n a_i b_i + c"),
        (r"\sum_{t>1} L_{t-1}", "sum_(t > 1) L_(t - 1)"),
        (r"\prod\limits_{s=1}^{t}\alpha_s", "product_(s = 1)^t alpha_s"),
        # integrals end with their dx
        (r"\int_0^1 x^2 + 1 \,\mathrm{d}x", "integral_0^1 x^2 + 1 dif x"),
        (r"\int \frac{dx}{x}", "integral frac(1, x) dif x"),
        (r"\int\int f(x) g(y)\,dx\,dy", "integral integral f(x) g(y) dif x dif y"),
        (r"\int d\mathbf{x}\, f(\mathbf{x})", "integral f(bold(x)) dif bold(x)"),
        # calls and products
        (r"x(1-x)", "x (1 - x)"),
        (r"f(1-x)", "f(1 - x)"),
        (r"\lambda(X-a)^2", "lambda (X - a)^2"),
        (r"q(x_t|x_{t-1},x_0)", "q(x_t mid(|) x_(t - 1), x_0)"),
        (r"\mathcal N(x;\mu,\sigma^2\mathbf I)", "cal(N)(x; mu, sigma^2 I)"),
        (r"f'(x) + f'' + x'", "f'(x) + f'' + x'"),
        (r"2\pi(1+x)", "2 pi (1 + x)"),
        # means, divergences, events
        (r"\mathbb{E}_{q(x|y)}\bigl[\log p(x)\bigr]", "EE_(q(x mid(|) y)) [log p(x)]"),
        (r"\mathbb E\|x\|^2 + E[X|Y]", "EE[norm(x)^2] + EE[X mid(|) Y]"),
        (r"\mathbb{E}X\,\mathbb{E}Y", "EE[X] EE[Y]"),
        (r"E[|X||Y| \mid Z]", "EE[abs(X) abs(Y) mid(|) Z]"),
        (r"Var(X) + \mathrm{Cov}(X,Y)", 'op("Var")[X] + op("Cov")[X, Y]'),
        (r"P(|X| \ge a, Y < 2)", "PP(abs(X) >= a, Y < 2)"),
        (r"D_{\mathrm{KL}}(q \,\|\, p) + KL(q||p)", 'D_"KL" (q parallel p) + D_"KL" (q parallel p)'),
        (r"\mathbf{1}\{X\ge a\} + 1_{X<a}", "bold(1){X >= a} + bold(1){X < a}"),
        # derivatives
        (r"\frac{\partial^2 f}{\partial x\partial y}", "frac(partial^2 f, partial x partial y)"),
        (r"\frac{d}{dx}x^2 e^x + 1", "frac(dif, dif x) x^2 e^x + 1"),
        (r"\partial_{xx} f + \partial_x^2 f", "partial_x^2 f + partial_x^2 f"),
        (r"\nabla_x\log f(x)^\top v", "nabla_x log f(x)^top v"),
        (r"\nabla\cdot (f v) + \nabla^2 f + \Delta f(x)", "nabla dot (f v) + nabla^2 f + nabla^2 f(x)"),
        (r"\Delta t + \Delta W_t", "Delta t + Delta W_t"),
        # brackets, norms, powers
        (r"\lVert v\rVert_2^2 + |x|", "norm(v)_2^2 + abs(x)"),
        (r"||v||^2", "norm(v)^2"),
        (r"\langle v, w\rangle", "lr(chevron.l v, w chevron.r)"),
        (r"v^T v + x^T", "v^top v + x^T"),
        (r"x_t^2 + x^2_t + x^{(i)}", "x_t^2 + x_t^2 + x_i"),
        (r"\binom nk n!", "binom(n, k) n!"),
        (r"\sqrt[3]{x}\sqrt2", "root(3, x) sqrt(2)"),
        (r"\left(\frac ab\right)^{-1}", "(frac(a, b))^(-1)"),
        (r"\widetilde{\beta}_t \overline{X}_n \hat\mu \theta^*", "tilde(beta)_t macron(X)_n hat(mu) theta^*"),
        (r"a_{ij} + x_{1:T} + L_{\text{simple}}", 'a_(i j) + x_(1 : T) + L_"simple"'),
        (r"X_1 + \cdots + X_n", "X_1 + dots.c + X_n"),
        (r"a \overset{d}{=} b", 'a =^"d" b'),
        (r"a := b = c", "a := b = c"),
        (r"\left.f(x)\right|_{x=0}", "lr(f(x)|)_(x = 0)"),
        (r"\underbrace{a+b}_{c} \underbrace{-d}_{e} + {\rm const}", 'a + b - d + "const"'),
    ],
)
def test_what_is_meant(text, meant):
    assert read(text) == meant


def number(value):
    return Number(Fraction(value), str(value))


x, y, a, b, n, t, d = (Symbol(letter) for letter in "xyabntd")
one, two = number(1), number(2)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        (r"\bar\alpha_{t-1}", Symbol("alpha", "bar", (Add((t, Negative(one))),))),
        (r"\varepsilon_\theta", Symbol("epsilon", "", (Symbol("theta"),))),
        (r"\mathcal{L}", Symbol("calL")),
        (r"-\frac{a}{2} b", Negative(Multiply((Divide(a, two), b)))),
        (r"a / 2 + e^{-x}", Add((Divide(a, two, inline=True), Power(Constant("e"), Negative(x))))),
        (r"a\cdot b\times t", Multiply((Multiply((a, b), "dot"), t), "times")),
        (r"a b \cdot t", Multiply((Multiply((a, b)), t), "dot")),
        (r"\log(x)", Function("log", (Bracket(x),))),
        (r"q(x_{1:t}\mid y)", Call(Symbol("q"), (Symbol("x", "", (Range(one, t),)),), (y,))),
        (r"\mathcal{N}(x; a, b)", Call(Symbol("N"), (x,), parameters=(a, b))),
        (r"\sum_{t=1}^n a_t", Big("sum", t, one, n, Symbol("a", "", (t,)))),
        (r"\int f(x)\,dx", Big("integral", x, None, None, Call(Symbol("f"), (x,)))),
        (r"\mathbb{E}_{x \sim p}[x]", Mean("E", (Distributed((x,), Symbol("p")),), (x,))),
        (r"P(x \ge a)", Mean("P", (), (Relation((x, a), (">=",)),))),
        (r"\frac{d}{dx} a", Derivative(a, (x,), partial=False)),
        (r"\nabla_x f(x)", Gradient("gradient", x, Call(Symbol("f"), (x,)))),
        (r"v^\top y", Multiply((Transpose(Symbol("v")), y))),
        (r"f''(x)", Call(Symbol("f"), (x,), primes=2)),
        (r"a + \dots + n", Add((a, Dots(), n))),
    ],
)
def test_trees(text, tree):
    assert grammar.expression(latex.tokens(text), KINDS) == tree


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (r"x, y \in \mathbb{R}^d", [Belongs((x, y), "vector", d)]),
        (r"a \in \mathbb{R}^{n \times d}", [Belongs((a,), "matrix", n, d)]),
        (r"t \in \{1, \dots, n\}", [Belongs((t,), "integers", one, n)]),
        (r"t = 1, 2, \ldots, n", [Belongs((t,), "integers", one, n)]),
        (r"x \in [a, b)", [Belongs((x,), "interval", a, b)]),
        (r"x \in \mathbb{R}_{>0}", [Belongs((x,), "interval", number(0), Constant("infinity"))]),
        (r"y \in \{-1, 1\}", [Belongs((y,), "values", values=(Negative(one), one))]),
        (r"0 < a < b", [Relation((number(0), a, b), ("<", "<"))]),
        (
            r"a, b > 0, \quad n \in \mathbb{N}",
            [*(Relation((s, number(0)), (">",)) for s in (a, b)), Belongs((n,), "natural")],
        ),
        (r"x \overset{\text{iid}}{\sim} \mathrm{Exp}(a)", [Distributed((x,), Call(Symbol("Exp"), (a,)))]),
        (r"x \sim p", [Distributed((x,), Symbol("p"))]),
        (r"s: \mathbb{R}^d\times[0,1] \to \mathbb{R}^d", [Mapping(Symbol("s"), d, d, (None,))]),
        (r"dx = a\,dt", [Relation((Differential(x), Multiply((a, Differential(t)))), ("=",))]),
        (r"x_0", []),
    ],
)
def test_statements(text, said):
    assert list(statements.statements(latex.tokens(text), {})) == said


def test_the_differentials_of_a_process():
    kinds = {"X": "process", "Y": "process", "W": "process"}
    product = grammar.expression(latex.tokens(r"d(XY) - X\,dY - (dX)^2 - d\log X - dW^2"), kinds)
    assert math(product) == "dif (X Y) - X dif Y - (dif X)^2 - dif log X - (dif W)^2"
    assert math(grammar.expression(latex.tokens("d x"), {})) == "d x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (r"\foo x", r"the command \\foo is not known"),
        (r"\frac{1}", "an argument is missing"),
        (r"(a + b", r'"\(" is not closed; add "\)"'),
        (r"(a + b]", r'"\(" is closed by "\]"'),
        (r"a +", "something is missing at the end"),
        (r"x^10", r"\^10 raises or lowers one digit alone; write \^\{10...\}"),
        (r"1/2 x", r"a/b c may be read in two ways; write \\frac"),
        (r"\log x / y", "a function's argument before / may end in two places"),
        (r"\log(x)^2", r"log\(...\)\^... may be read in two ways"),
        (r"\log \sigma (x - y)", "the argument of log may end in two places"),
        (r"E(x - a)^2", r"E\(...\)\^... may be read in two ways"),
        (r"\int f(x)", "an integral has no dx"),
        (r"\sum a_i", "the sum has nothing below it"),
        (r"2 3", "two numbers stand side by side"),
        (r"\overline{a + b}", "an accent stands over more than one symbol"),
        (r"\begin{cases} 1 \end{cases}", "begin{cases} is not read"),
        (r"\sqrt{" * 80 + "x", "a formula is nested too deeply"),
        (r"(" * 500 + "x", "a formula is nested too deeply"),
        ("x" * 30000, "a formula of 30000 characters; split it"),
        (r"\mathcal{AB}", "a calligraphic"),
        (r"x \circ y", '"circ" does not fit here'),
    ],
)
def test_what_cannot_be_read_is_named(text, message):
    with pytest.raises(InputError, match=message):
        grammar.expression(latex.tokens(text), {"x": "number"})


def test_an_ambiguous_differential_is_refused():
    with pytest.raises(InputError, match=r"dX\^2 may be read in two ways; write \(dX\)\^2 or d\(X\^2\)"):
        grammar.expression(latex.tokens("dX^2"), {"X": "process"})

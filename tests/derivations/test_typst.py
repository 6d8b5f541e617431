"""Typst mathematics gives the trees that the same formula in LaTeX gives."""

import pytest

from sojourn.derivations.notation import grammar, latex, statements, typst
from sojourn.errors import InputError

KINDS = {"x": "number", "f": "function", "v": "vector", "s_theta": "field", "X": "process", "W": "process"}


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("x_(t-1) + macron(alpha)_t - overline(alpha)", r"x_{t-1} + \bar\alpha_t - \overline{\alpha}"),
        ("frac(a, b) + a/b + (a + b)/(2 c)", r"\frac ab + \frac ab + \frac{a+b}{2c}"),
        ("(a + b)^2/2 - x^2/(2 sigma^2)", r"\frac{(a+b)^2}{2} - \frac{x^2}{2\sigma^2}"),
        ("f(x)/2 + n!/k + E[a]/2", r"\frac{f(x)}{2} + \frac{n!}{k} + \frac{\mathbb{E}[a]}{2}"),
        (r"a \/ b + a slash b", "a/b + a/b"),
        ("1/2 log(x)", r"\tfrac12\log(x)"),
        ("sqrt(x) + root(3, x) + binom(n, k)", r"\sqrt x + \sqrt[3]{x} + \binom{n}{k}"),
        ("EE_(q(x|y)) lr([log p(x)])", r"\mathbb{E}_{q(x|y)}\left[\log p(x)\right]"),
        ('"Var"[a] + op("Cov")(a, b) + Pr(a >= 1)', r"\operatorname{Var}[a] + \mathrm{Cov}(a, b) + \Pr(a \ge 1)"),
        ('D_"KL"(q || p) + "KL"(q parallel p)', r"D_{\mathrm{KL}}(q \| p) + \mathrm{KL}(q\|p)"),
        ("cal(N)(x; m, sigma^2) + cal(L)", r"\mathcal{N}(x; m, \sigma^2) + \mathcal{L}"),
        ("sum_(t=1)^T a_t + product_s b_s", r"\sum_{t=1}^T a_t + \prod_s b_s"),
        ("norm(v)_2^2 + abs(x) + |x|", r"\|v\|_2^2 + |x| + |x|"),
        ("nabla_x log f(x) + nabla dot v + nabla^2 f", r"\nabla_x \log f(x) + \nabla\cdot v + \nabla^2 f"),
        (
            "partial_t f + frac(dif f, dif x) + (partial f)/(partial x)",
            r"\partial_t f + \frac{df}{dx} + \frac{\partial f}{\partial x}",
        ),
        ('L + "const"', r"L + \text{const}"),
        ("integral_0^oo f(x) thin dif x", r"\int_0^\infty f(x)\,dx"),
        ("v^top v + v^T v", r"v^\top v + v^T v"),
        ("tilde(beta)_t hat(x) dot(x)", r"\tilde\beta_t \hat x \dot x"),
        ("ln x + exp{-x} + max(a, b)", r"\ln x + \exp\{-x\} + \max(a, b)"),
        ("dif X + X dif W", r"dX + X\,dW"),
        ("bold(1){x > a} + bold(v)", r"\mathbf{1}\{x > a\} + \mathbf{v}"),
        ("s_theta(x) + s_theta (x) + f'(x) + x'_t", r"s_\theta(x) + s_\theta(x) + f'(x) + x'_t"),
        ("α + ε ≤ ∇f", r"\alpha + \epsilon \le \nabla f"),
        ("a attach(=, t: d) b", r"a \overset{d}{=} b"),
        ('a =^d b =^"def" c', r"a \stackrel{d}{=} b \stackrel{\text{def}}{=} c"),
        ("x_1, dots, x_n ~ cal(N)(0, 1)", r"x_1, \dots, x_n \sim \mathcal{N}(0, 1)"),
        ("x in RR^d, a in [0, 1), t in {1, ..., T}", r"x \in \mathbb{R}^d, a \in [0, 1), t \in \{1, \dots, T\}"),
        ("f: RR^d -> RR", r"f: \mathbb{R}^d \to \mathbb{R}"),
        ("q(x) prop e^(-x^2\\/2)", r"q(x) \propto e^{-x^2/2}"),
        ("a <= b != c approx d := e", r"a \le b \ne c \approx d := e"),
    ],
)
def test_as_in_latex(written, same):
    assert read(typst.tokens(written)) == read(latex.tokens(same))


def read(tokens):
    return statements.statements(tokens, KINDS) or grammar.expression(tokens, KINDS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("xt + 1", 'the name "xt" is not known; put blanks between letters'),
        ("frac(a)", "frac needs 2 arguments; give them"),
        ("sqrt(a", "the bracket of sqrt is not closed"),
        ("(a + b", r'"\(" is not closed'),
        ("a / ", '"/" stands between nothing'),
        ("x_", 'nothing follows "_"'),
        ('"const', "a quotation mark is not closed"),
        ("#let x", "code .#. is not read in formulas"),
        ("mat(1, 2)", 'the name "mat" is not known'),
        ("(" * 80, "a formula is nested too deeply"),
    ],
)
def test_what_cannot_be_read_is_named(text, message):
    with pytest.raises(InputError, match=message):
        read(typst.tokens(text))

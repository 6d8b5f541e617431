"""Files as documents: what is given, the steps and their lines, reasons, languages, errors with their place."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.derivations.document import Given, Heading, Prose, Step, in_language, read
from sojourn.derivations.notation.nodes import Relation
from sojourn.derivations.notation.printing import math
from sojourn.errors import InputError

GUIDE = r"""# The variance of a noised image | 加噪图像的方差

What is given stands in list items. | 已知条件写成列表项。

- $t \in \{1, \dots, T\}$ and $0 < \alpha_t < 1$
- $x_t = \sqrt{\alpha_t}\, x_{t-1} + \sqrt{1 - \alpha_t}\, \epsilon_t$, where $\epsilon_t \sim \mathcal{N}(0, 1)$
- $\bar\alpha_t = \prod_{s=1}^{t} \alpha_s$

## Steps

$$
\begin{aligned}
\operatorname{Var}[x_t] &= \alpha_t \operatorname{Var}[x_{t-1}] + 1 - \alpha_t && \text{independent noise | 噪声独立} \\
  1 - \operatorname{Var}[x_t] &= \alpha_t (1 - \operatorname{Var}[x_{t-1}]) \\
  &= \bar\alpha_t && \text{since } \operatorname{Var}[x_0] = 0
\end{aligned}
$$
"""


def steps(text, syntax="latex"):
    return [entry for entry in read(text, syntax=syntax).entries if isinstance(entry, Step)]


def shown(text, syntax="latex"):
    """Line and relation of each step."""
    return [(step.line, math(step.relation)) for step in steps(text, syntax)]


def test_the_example_of_the_guide():
    document = read(GUIDE, name="guide.md")
    assert document.title == "The variance of a noised image | 加噪图像的方差"
    assert [type(e) for e in document.entries[:5]] == [Prose, Given, Given, Given, Heading]
    assert [e.line for e in document.entries[:5]] == [3, 5, 6, 7, 9]
    assert [math(node) for node in document.entries[2].nodes] == [
        "x_t = sqrt(alpha_t) x_(t - 1) + sqrt(1 - alpha_t) epsilon_t",
        "epsilon_t ~ cal(N)(0, 1)",
    ]
    first, second, third = document.entries[5:]
    assert (first.line, first.reason) == (13, "independent noise | 噪声独立")
    assert first.source == r"\operatorname{Var}[x_t] = \alpha_t \operatorname{Var}[x_{t-1}] + 1 - \alpha_t"
    assert (second.line, second.reason, second.block) == (14, "", first.block)
    assert (third.line, third.reason) == (15, r"since $\operatorname{Var}[x_0] = 0$")
    assert isinstance(third.relation, Relation)
    assert third.relation.sides[0] is None


@pytest.mark.parametrize(
    ("display", "found"),
    [
        ("$$ a = b $$", [(1, "a = b")]),
        ("$$a = b = c$$ and $$c < d.$$", [(1, "a = b = c"), (1, "c < d")]),
        ("\\[\na = b\n\\]", [(2, "a = b")]),
        ("```math\na = b\n```", [(2, "a = b")]),
        ("\\begin{align*}\na &= b \\\\\n&= c \\tag{1}\n\\end{align*}", [(2, "a = b"), (3, "= c")]),
        ("$$\n\\begin{split}\na\n&= b \\\\[2pt]\n&= c\n\\end{split}\n$$", [(4, "a = b"), (5, "= c")]),
        # a line may be broken inside brackets, before and after signs
        ("$$\na = b\n+ c\n$$", [(2, "a = b + c")]),
        ("$$\na = (b\n+ c)\n= d\n$$", [(2, "a = (b + c)"), (4, "= d")]),
        ("$$\na = b + \\\\\nc\n$$", [(2, "a = b + c")]),
        ("$$\na &= b \\\\\n&\\qquad - c \\\\\n&= d\n$$", [(2, "a = b - c"), (4, "= d")]),
        ("$$\na &= \\left[ b \\right. \\\\ &\\left. + c \\right]\n$$", [(2, "a = [b + c]")]),
        # without \\ a source line with a relation of its own is a step of its own
        ("$$\na = b\nc = d\n$$", [(2, "a = b"), (3, "c = d")]),
        ("$$\na = b \\\\ -a = -b\n$$", [(2, "a = b"), (2, "-a = -b")]),
        # several on a line
        ("$$ a = b, \\quad c = d \\implies e = f $$", [(1, "a = b"), (1, "c = d"), (1, "e = f")]),
        ("$$ a = b \\text{ and } c = d $$", [(1, "a = b"), (1, "c = d")]),
        ("$$ a = b =: c $$", [(1, "a = b"), (1, "c := b")]),
        ("$$\na &= b \\\\\n&\\;\\;\\vdots \\\\\n&= c\n$$", [(2, "a = b"), (4, "= c")]),
        ("% no\n$$ a = b % 5 = 6\n$$", [(2, "a = b")]),
        ("<!-- $$ x = 1 $$ -->\n$$ a = b $$", [(2, "a = b")]),
        ("```python\n$$ x = 1 $$\n```\n$$ a = b $$", [(4, "a = b")]),
    ],
)
def test_rows_and_lines(display, found):
    assert shown(display) == found


@pytest.mark.parametrize(
    ("display", "found"),
    [
        ("$ a = b $", [(1, "a = b")]),
        ("So $a = 1$ and\n$ a &= b \\\n &= c $", [(2, "a = b"), (3, "= c")]),
        ("$\na = b \\ // one\n= c + \\\n d $", [(2, "a = b"), (3, "= c + d")]),
        ("#set text(size: 9pt)\n/* $ x = 1 $ */ $ a = b $", [(2, "a = b")]),
    ],
)
def test_rows_and_lines_in_typst(display, found):
    assert shown(display, "typst") == found


@pytest.mark.parametrize(
    ("syntax", "row", "reason"),
    [
        ("latex", r"a &= b && \text{Bayes}", "Bayes"),
        ("latex", r"a = b \quad(\text{by the definition of } b)", "by the definition of $b$"),
        ("latex", r"a = b \qquad \text{since } b > 0 \text{ and } c > 0", "since $b > 0$ and $c > 0$"),
        ("latex", r"a = b + \text{const}", ""),
        ("latex", r"a = b + \text{const} \text{ by Jensen}", "by Jensen"),
        ("latex", r"a = b \text{ 由定义}", "由定义"),
        ("latex", r"\text{By symmetry } a = b", "By symmetry"),
        ("latex", r"\text{so } a = b", ""),
        ("latex", r"a = b \quad \text{for all } x \in \mathbb{R}", r"for all $x \in \mathbb{R}$"),
        ("latex", r"a = b && \epsilon \text{ is independent}", r"$\epsilon$ is independent"),
        ("typst", 'a = b quad "Bayes | 贝叶斯"', "Bayes | 贝叶斯"),
        ("typst", 'a &= b & "since" b > 0', "since $b > 0$"),
        ("typst", 'a = b + "const"', ""),
    ],
)
def test_reasons(syntax, row, reason):
    display = f"$ {row} $" if syntax == "typst" else f"$$ {row} $$"
    (step,) = steps(display, syntax)
    assert step.reason == reason
    assert math(step.relation) in ("a = b", 'a = b + "const"')


def test_the_parts_of_two_languages():
    assert in_language("the noise | 噪声", "en") == "the noise"
    assert in_language("the noise | 噪声", "zh") == "噪声"
    assert in_language("both", "zh") == "both"
    assert in_language("given $p(a | b)$ | 给定 $p(a | b)$", "zh") == "给定 $p(a | b)$"
    assert in_language("a `x | y` b", "en") == "a `x | y` b"


def test_what_names_are_is_learned_from_what_is_given():
    text = r"""
- $x \in \mathbb{R}^d$, $f: \mathbb{R}^d \to \mathbb{R}$, $s_\theta: \mathbb{R}^d \to \mathbb{R}^d$, $k > 0$
- $dX = X\,dt + X\,dW$

$$ k(1 - k) = f(x) $$
$$ \phi(u) = u^2 $$
$$ \phi(u + 1) = u $$
"""
    document = read(text)
    kinds = {"x": "vector", "f": "function", "s_theta": "field", "k": "number", "phi": "function"}
    assert document.kinds.items() >= {*kinds.items(), ("X", "process"), ("W", "process")}
    assert [math(s.relation) for s in document.entries if isinstance(s, Step)] == [
        "k (1 - k) = f(x)",
        "phi(u) = u^2",
        "phi(u + 1) = u",
    ]


def test_a_displayed_formula_in_an_item_is_given():
    document = read("- the sum\n  $$ S = a + b $$\n- $a > 0$\n\n$$ S > b $$")
    assert [type(entry) for entry in document.entries] == [Given, Given, Given, Step]
    assert math(document.entries[1].nodes[0]) == "S = a + b"


SAME = {
    "forward": (
        r"""$$
x_t &= \sqrt{\alpha_t}\,x_{t-1} + \sqrt{1-\alpha_t}\,\epsilon_t \\
    &\overset{d}{=} \sqrt{\alpha_t\alpha_{t-1}}\, x_{t-2} + \sqrt{1 - \alpha_t\alpha_{t-1}}\,\bar\epsilon \\
    &= \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon
$$""",
        """$ x_t &= sqrt(alpha_t) x_(t-1) + sqrt(1 - alpha_t) epsilon_t \\
    &=^d sqrt(alpha_t alpha_(t-1)) x_(t-2) + sqrt(1 - alpha_t alpha_(t-1)) macron(epsilon) \\
    &= sqrt(macron(alpha)_t) x_0 + sqrt(1 - macron(alpha)_t) epsilon $""",
    ),
    "bound": (
        r"""\begin{align}
-\log p_\theta(x_0) &= -\log\int p_\theta(x_{0:T})\,dx_{1:T} \\
&\leq \mathbb{E}_{q(x_{1:T}|x_0)}\Big[-\log\frac{p_\theta(x_{0:T})}{q(x_{1:T}|x_0)}\Big] && \text{Jensen} \\
&= \mathbb{E}_q\left[-\log p(x_T) - \sum_{t\geq1}\log\frac{p_\theta(x_{t-1}|x_t)}{q(x_t|x_{t-1})}\right]
\end{align}""",
        """$ -log p_theta (x_0) &= -log integral p_theta (x_(0:T)) dif x_(1:T) \\
&<= EE_(q(x_(1:T)|x_0)) [-log p_theta(x_(0:T)) / q(x_(1:T)|x_0)] & "Jensen" \\
&= EE_q [-log p(x_T) - sum_(t >= 1) log p_theta(x_(t-1)|x_t) / q(x_t|x_(t-1))] $""",
    ),
    "three divergences": (
        r"""$$ L = \mathbb{E}_q\Big[ \underbrace{D_{\mathrm{KL}}(q(x_T|x_0)\,\|\,p(x_T))}_{L_T}
  + \sum_{t>1} \underbrace{D_\mathrm{KL}\big(q(x_{t-1}|x_t,x_0) \,\big\|\, p_\theta(x_{t-1}|x_t)\big)}_{L_{t-1}}
  \underbrace{- \log p_\theta(x_0|x_1)}_{L_0} \Big] $$""",
        """$ L = EE_q [ D_"KL" (q(x_T|x_0) || p(x_T))
  + sum_(t>1) D_"KL" (q(x_(t-1)|x_t, x_0) parallel p_theta(x_(t-1)|x_t)) - log p_theta(x_0|x_1) ] $""",
    ),
    "posterior": (
        r"""$$ q(x_{t-1}|x_t,x_0) \propto \exp\left(-\frac12\left[\frac{(x_t-\sqrt{\alpha_t}x_{t-1})^2}{\beta_t}
  + \frac{(x_{t-1}-\sqrt{\bar\alpha_{t-1}}x_0)^2}{1-\bar\alpha_{t-1}}\right]\right) $$
$$\tilde\beta_t = \left(\frac{\alpha_t}{\beta_t}+\frac1{1-\bar\alpha_{t-1}}\right)^{-1}$$""",
        """$ q(x_(t-1)|x_t, x_0) prop exp(-1/2 [(x_t - sqrt(alpha_t) x_(t-1))^2/beta_t
  + (x_(t-1) - sqrt(macron(alpha)_(t-1)) x_0)^2/(1 - macron(alpha)_(t-1))]) $
$ tilde(beta)_t = (alpha_t/beta_t + 1/(1 - macron(alpha)_(t-1)))^(-1) $""",
    ),
    "by parts": (
        r"""- $\mathbf{s}: \mathbb{R}^d \to \mathbb{R}^d$, $\mathbf{x} \in \mathbb{R}^d$

$$ \int p(\mathbf x)\,\mathbf s(\mathbf x)^T\nabla_{\mathbf x}\log p(\mathbf x)\,d\mathbf x
= \sum_{i=1}^d\int s_i(\mathbf x)\frac{\partial p(\mathbf x)}{\partial x_i}\,\mathrm d\mathbf x
= -\mathbb{E}[\nabla\cdot\mathbf s(\mathbf x)]
= -\mathbb E\left[\operatorname{tr}\left(\nabla_{\mathbf x}\mathbf s(\mathbf x)\right)\right] $$""",
        """- $bold(s): RR^d -> RR^d$, $bold(x) in RR^d$

$ integral p(bold(x)) bold(s)(bold(x))^T nabla_bold(x) log p(bold(x)) dif bold(x)
  = sum_(i=1)^d integral s_i (bold(x)) frac(partial p(bold(x)), partial x_i) dif bold(x)
  = -EE[nabla dot bold(s)(bold(x))]
  = -EE[tr(nabla_bold(x) bold(s)(bold(x)))] $""",
    ),
    "Hoeffding": (
        r"""$$ e^{sX}\le\frac{b-X}{b-a}e^{sa}+\frac{X-a}{b-a}e^{sb}. $$
$$ P(|S| \ge t) \le 2\exp\left\{-\frac{2t^2}{\sum_{i=1}^n(b_i-a_i)^2}\right\}, \qquad L''(h) \le \tfrac14 $$""",
        """$ e^(s X) <= (b - X)/(b - a) e^(s a) + (X - a)/(b - a) e^(s b). $
$ P(|S| >= t) <= 2 exp{-(2 t^2)/(sum_(i=1)^n (b_i - a_i)^2)}, quad L''(h) <= 1/4 $""",
    ),
    "product rule": (
        r"""- $dX_t = \mu\,dt + \sigma\,dW_t$ and $\mathrm{d}Y_t = b\,\mathrm{d}t$

$$ d(X_tY_t) = X_t\,dY_t + Y_t\,dX_t + dX_t\,dY_t, \quad (dX_t)^2 = \sigma^2\,dt $$""",
        """- $dif X_t = mu dif t + sigma dif W_t$ and $dif Y_t = b dif t$

$ dif(X_t Y_t) = X_t dif Y_t + Y_t dif X_t + dif X_t dif Y_t, quad (dif X_t)^2 = sigma^2 dif t $""",
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_one_derivation_in_two_syntaxes(name):
    first, second = SAME[name]
    assert [s.relation for s in steps(first)] == [s.relation for s in steps(second, "typst")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n\n$$\na = \\foo\n$$", r'd.md:4: the command \foo is not known, near "\foo"; write the formula without it'),
        ("- fine\n- $x \\in \\mathcal{X}$", r'd.md:2: a set is not known, near "\in \mathcal{X}$"; write'),
        ("$$ a = b \\\\\n (c \\\\ = d $$", 'd.md:2: "(" is not closed, near "(c'),
        ("$$ a + b $$", 'd.md:1: there is no relation, near "a + b $$"; a step needs one'),
        ("\n$$ a = b", 'd.md:2: a displayed formula is not closed, near "$$ a = b"; add "$$" at its end'),
        ("$$\n\\begin{pmatrix} a \\end{pmatrix} = b\n$$", r"d.md:2: \begin{pmatrix} is not read"),
        ("- $1/2 x = 1$", "d.md:1: a/b c may be read in two ways"),
    ],
)
def test_errors_name_line_place_and_remedy(text, message):
    with pytest.raises(InputError, match=re.escape(message)) as error:
        read(text, name="d.md")
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_read_are_named(tmp_path):
    path = tmp_path / "d.typ"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"d\.typ: it cannot be read .*; give a text file in UTF-8"):
        read(path)
    path.write_text("= T\n$ x = 1 $", encoding="utf-8")
    assert read(path).syntax == "typst"
    with pytest.raises(InputError, match='syntax="word" is unknown; choose one of latex, typst'):
        read("", syntax="word")


PIECES = re.split(
    r"\s+",
    r"""\frac \sqrt { } ( ) [ ] ^ _ & \\ \left \right | \| \mathbb{E} E P d x \int \sum_{i=1}^n \log - + = \le , ; : ! '
    $ $$ \[ \] \begin{aligned} \end{aligned} \text{so} # - * / 1 \nabla \partial_x \Delta \overset \underbrace \middle
    \sim \in \mathbb{R} \to \langle \dots frac( sqrt( attach( lr( cal( dif EE RR -> \/ \quad ``` % // */ =: D_{KL}""",
)
NAMES = st.sampled_from(["a.md", "a.typ"])
AROUND = st.sampled_from(["$$", "$ ", "- $", ""])


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=25), around=AROUND, name=NAMES)
@settings(max_examples=200, deadline=None)
def test_no_text_gives_a_traceback(pieces, around, name):
    check_reading(around + " ".join(pieces) + around[::-1], name)


@given(source=st.sampled_from([GUIDE, *(text for pair in SAME.values() for text in pair)]), data=st.data())
@settings(max_examples=100, deadline=None)
def test_no_cut_of_a_source_gives_a_traceback(source, data):
    start = data.draw(st.integers(0, len(source)))
    stop = data.draw(st.integers(start, len(source)))
    for text in (source[:start] + source[stop:], source[start:stop]):
        check_reading(text, data.draw(NAMES))


def check_reading(text, name):
    said = ""
    try:
        read(text, name=name)
    except InputError as error:
        said = str(error)
    assert not said or re.fullmatch(rf"{re.escape(name)}:\d+: [^\n]+; [^\n]+", said)


@pytest.mark.parametrize("piece", ["(", "{", r"\sqrt", "x^", "-", r"\log ", r"\partial_x ", r"\mathbb{E}", "|", "[x"])
def test_depth_is_bounded_in_latex(piece):
    check_reading("$$" + piece * 1500 + "x = 1$$", "a.md")


@pytest.mark.parametrize("piece", ["(", "sqrt(", "-", "log ", "x_", "frac(", "EE", "abs(", "x/", "norm(", "|"])
def test_depth_is_bounded_in_typst(piece):
    check_reading("$ " + piece * 1500 + "x = 1 $", "a.typ")

"""Derivations in Typst: what is printed reads back as the same tree, compiles, and stays between the margins."""

from fractions import Fraction
from pathlib import Path

import pytest
import typst as compiler
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.derivations import LIBRARY, document, typesetting
from sojourn.derivations.document import Given, Step
from sojourn.derivations.notation import grammar, nodes, statements, typst
from sojourn.derivations.notation.printing import math

KINDS = {"f": "function", "q": "function"}
KINDS |= {f"{accent}{name}": "number" for name in ("x", "y", "alpha", "n") for accent in ("", "bar ", "tilde ", "hat ")}


def number(value):
    return nodes.Number(Fraction(value), str(value))


letters = st.sampled_from(["x", "y", "alpha", "n"])
accents = st.sampled_from(["", "", "bar", "tilde", "hat", "prime"])
index = st.sampled_from([nodes.Symbol("t"), number(1), nodes.Add((nodes.Symbol("t"), nodes.Negative(number(1))))])
plain = st.builds(nodes.Symbol, letters, accents, st.lists(index, max_size=2).map(tuple))
numbers = st.sampled_from([number(2), number(10), nodes.Number(Fraction("0.5"), "0.5")])
constants = st.sampled_from([nodes.Constant("pi"), nodes.Constant("infinity")])


def sums(inner):
    """Sums of products of factors, as the reader makes them: flat, with brackets as nodes."""
    lists = st.lists(inner, min_size=1, max_size=2).map(tuple)
    conditions = st.lists(inner, max_size=1).map(tuple)
    atoms = st.one_of(
        plain,
        constants,
        st.builds(nodes.Bracket, inner, st.sampled_from("([{")),
        st.builds(nodes.Call, st.just(nodes.Symbol("f")), lists, primes=st.integers(0, 2)),
        st.builds(nodes.Call, st.just(nodes.Symbol("q")), lists, conditions),
        st.builds(nodes.Call, st.just(nodes.Symbol("N")), lists, parameters=lists),
        st.builds(lambda a: nodes.Function("sqrt", (a,)), inner),
        st.builds(lambda kind, a: nodes.Function(kind, (a,)), st.sampled_from(["abs", "norm"]), inner),
        st.builds(lambda kind, a, b: nodes.Function(kind, (a, b)), st.sampled_from(["binomial", "max"]), inner, inner),
        st.builds(lambda a, b: nodes.Function("indicator", (nodes.Relation((a, b), (">=",)),)), inner, inner),
        st.builds(
            lambda kind, a, given: nodes.Mean(kind, (), (a,), given), st.sampled_from(["E", "Var"]), inner, conditions
        ),
        st.builds(
            nodes.Divergence, st.just(nodes.Symbol("q")), st.just(nodes.Call(nodes.Symbol("f"), (nodes.Symbol("x"),)))
        ),
    )
    functions = st.builds(
        lambda name, a: nodes.Function(name, (nodes.Bracket(a),)),
        st.sampled_from(["log", "exp", "sin", "trace"]),
        inner,
    )
    factors = st.one_of(
        atoms,
        functions,
        st.builds(nodes.Power, st.one_of(plain, st.builds(nodes.Bracket, inner)), inner.filter(no_label)),
        st.builds(nodes.Divide, inner, inner),
        st.builds(lambda a: nodes.Gradient("gradient", nodes.Symbol("x"), a), atoms),
        st.builds(lambda a: nodes.Derivative(a, (nodes.Symbol("x"),), below=True), atoms),
    )
    sides = st.lists(factors, min_size=1, max_size=2).map(
        lambda fs: fs[0] if len(fs) == 1 else nodes.Multiply(tuple(fs))
    )
    sides = st.one_of(
        sides, st.builds(lambda k, s: nodes.Multiply((k, *(s.factors if flat(s) else (s,)))), numbers, sides), numbers
    )
    ends = st.one_of(
        sides,
        st.builds(lambda a: nodes.Function("log", (a,)), plain),
        st.builds(
            lambda kind, body: nodes.Big(kind, nodes.Symbol("t"), number(1), nodes.Symbol("n"), body), bigs, sides
        ),
        st.builds(lambda body: nodes.Big("integral", nodes.Symbol("x"), None, None, body), inner),
    )
    products = st.one_of(ends, st.builds(lambda a, b, sign: nodes.Multiply((a, b), sign), sides, ends, signs))
    terms = st.one_of(products, products.map(nodes.Negative))
    return st.lists(terms, min_size=1, max_size=2).map(lambda ts: ts[0] if len(ts) == 1 else nodes.Add(tuple(ts)))


def no_label(node):
    """x^((i)) is a label of x."""
    return not isinstance(node, nodes.Bracket)


def flat(node):
    return isinstance(node, nodes.Multiply) and node.sign == ""


signs = st.sampled_from(["dot", "times"])
bigs = st.sampled_from(["sum", "product"])
leaves = st.one_of(plain, numbers)
trees = st.one_of(sums(leaves), sums(st.one_of(leaves, sums(leaves))))


@given(tree=trees)
@settings(max_examples=150, deadline=None)
def test_what_is_printed_reads_back(tree):
    assert grammar.expression(typst.tokens(math(tree)), KINDS) == tree


@pytest.mark.parametrize("path", sorted(LIBRARY.rglob("*.md")), ids=lambda path: path.stem)
def test_shipped_derivations_read_back(path):
    found = document.read(path)
    for entry in found.entries:
        if isinstance(entry, Given):
            for node in entry.nodes:
                assert statements.statements(typst.tokens(math(node)), found.kinds) == (node,)
        elif isinstance(entry, Step):
            assert statements.step(typst.tokens(math(entry.relation)), found.kinds) == entry.relation
    for lang in ("en", "zh"):
        assert compiled(typesetting.document(found, lang, {}), Path("d.typ"))[:5] == b"%PDF-"


def compiled(markup, path, **options):
    path.write_text(markup, encoding="utf-8")
    return compiler.compile(path, ignore_system_fonts=True, **options)


SOURCE = r"""# Two *words* | 两个词

- $a, b \in \mathbb{R}$ and $x_t = a + b$, a sum | 一个和
- $n \in \mathbb{N}$, where $b > 0$

With #1 & 50% of _it_ in $(a, b)$: see [x] | 其中

$$
\begin{aligned}
x_t &= a + b && \text{since } b > 0 \text{ | 因为 } b > 0 \\
&\le \frac{a}{2} \overset{d}{=} c
\end{aligned}
$$
"""


def test_a_document_in_both_languages():
    found = document.read(SOURCE)
    english = typesetting.document(found, "en", {10: "proved", 11: "not checked"})
    for part in (
        "strong[Two #emph[words];]",
        "- $a, b in RR$ and $x_t = a + b$, a sum\n- $n in NN$, where $b > 0$",
        r"With \#1 & 50% of #emph[it]; in $(a, b)$: see \[x\]",
        "x_t &= a + b && quad #why[since $b > 0$]",
        ' &<= frac(a, 2) =^"d" c && quad #why[(not checked)]',
        "Checked line by line: 1 proved by algebra, 1 not checked.",
    ):
        assert part in english
    chinese = typesetting.document(found, "zh", {10: "proved"})
    for part in (
        "strong[两个词]",
        "- $a, b in RR$，$x_t = a + b$，一个和\n- $n in NN$，其中 $b > 0$",
        "#why[因为 $b > 0$]",
    ):
        assert part in chinese
    assert "已逐行核验：1 行由代数证明。" in chinese


@pytest.mark.parametrize("terms", [1, 6, 12, 40])
def test_nothing_passes_the_margins(terms, tmp_path):
    """The widths of what `fitting` chose are asked of the compiler."""
    row = " + ".join(["x^2"] * terms)
    found = document.read(f"$$ a = {row} \\text{{ for a reason that needs some room of its own}} $$")
    markup = typesetting.document(found, "en", {})
    page = "#set page(width: 12cm, margin: 1cm)\n"
    measured = markup.replace("else { found }", "").replace(
        "if found != none { found }", "if found != none { note(found, size) }"
    )
    measured = measured.replace("scale(100%", "note(scale(100%").replace(
        "forms.last())\n    }", "forms.last()), size)\n    }"
    )
    note = "#let note(body, size) = [#body #metadata(measure(body).width <= size.width + 0.01pt) <fits>]\n"
    path = tmp_path / "d.typ"
    path.write_text(page + note + measured, encoding="utf-8")
    assert compiler.query(path, "<fits>", field="value", ignore_system_fonts=True).split() == ["[", "true", "]"]


@pytest.mark.parametrize(
    "text", ["# h", "- x", "+ y", "= z", "1. a", "`b $ c`", "a // b /* c", "[x] <y> @z ~ #w", "*a _b", r"\c"]
)
@pytest.mark.parametrize("syntax", ["latex", "typst"])
def test_prose_never_becomes_markup(text, syntax, tmp_path):
    assert compiled(typesetting.prose(text, syntax, {}), tmp_path / "d.typ")[:5] == b"%PDF-"


LONG = """# A title

Prose leads on.

- $X \\sim \\mathrm{any}$
- $a \\in \\mathbb{R}$

Prose leads on.

$$
\\begin{aligned}
ROWS
\\end{aligned}
$$

Prose that ends.
"""


def test_what_leads_on_is_tied_to_what_follows():
    found = document.read(LONG.replace("ROWS", "a &= a"))
    english = typesetting.document(found, "en", {})
    assert english.count("#leading[Prose leads on.]") == 2
    assert '#given(2, [\n- $X ~ "any law"$' in english
    assert "\n\nProse that ends.\n" in english
    assert '$X ~ "任意分布"$' in typesetting.document(found, "zh", {})
    direct = document.read("- $a \\in \\mathbb{R}$\n\n$$ a = a $$")
    assert "#given(1, sticky: true, [" in typesetting.document(direct, "en", {})


def test_a_display_of_many_rows_goes_on_over_the_page(tmp_path):
    """Half a page, nearly a page of rows and half a page fit on two pages only if the rows are parted."""
    rows = " \\\\\n".join(["a &= a && \\text{why}"] * 16)
    markup = typesetting.document(document.read(LONG.replace("ROWS", rows)), "en", {})
    path = tmp_path / "d.typ"
    for text, pages in ((markup, 2), (markup.replace("rows > 4", "false"), 3)):
        path.write_text(f"#set page(height: 15cm)\n{text}\n#block(height: 5cm)", encoding="utf-8")
        assert len(compiler.compile(path, ignore_system_fonts=True, format="png", ppi=20)) == pages

"""The alphabet that LaTeX and Typst mathematics have in common; `latex` and `typst` write it, `grammar` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from sojourn.errors import InputError

LONGEST = 20_000  # characters of one formula
DEEPEST = 60  # operands within each other


class Misread(InputError):
    """A text that is no formula, with the place in it, from which `document` makes file and line."""

    def __init__(self, what: str, at: int, remedy: str) -> None:
        what = " ".join(what.split())
        self.what, self.at, self.remedy = (what if len(what) < 100 else f"{what[:80]}..."), at, remedy
        super().__init__(f"{self.what}; {remedy}")


@dataclass(frozen=True)
class Token:
    """`kind` tells what a token does, `text` which one it is, `at` where it stands; `spaced`: blanks before it mean a
    product.

    Kinds with a text: "number", "name", "word" (quoted text), "function", "mean" (E, Var, Cov, P, KL), "big", "accent",
    "constant", "relation", "open" and "close" (brackets that are seen), "sign" (+ - dot times slash ! ' ^ _ , ; :),
    "set", "nabla", "partial". Kinds alone: "begin" and "end" (groups that are not seen), "fraction", "binomial" and
    "root" (before two groups), "bar", "given" (a bar that only divides), "bars" (two), "dots", "quad", "align", "row",
    "then" (an implication). `style` is "bold", "cal", "word" or "" for names.
    """

    kind: str
    text: str
    at: int
    spaced: bool = False
    style: str = ""


def vocabulary(text: str) -> dict[str, tuple[str, str]]:
    """A table with lines "kind text: names"; "kind: names" is for tokens without a text, "kind =: names" for those that
    are their text."""
    out: dict[str, tuple[str, str]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        head, names = line.split(": ", 1)
        kind, _, value = head.partition(" ")
        out |= {name: (kind, name if value == "=" else value) for name in names.split()}
    return out


def listed(text: str) -> list[str]:
    """The words of a text, in order."""
    return text.split()


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(listed(text))


GREEK = dict(
    zip(
        "αβγδεζηθικλμνξοπρστυφχψωΓΔΘΛΞΠΣΦΨΩ",
        listed(
            """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon
            phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"""
        ),
        strict=True,
    )
)
FUNCTIONS = {
    name: value
    for name, (_, value) in vocabulary("""
        function =: log exp sin cos tan sinh cosh tanh erf det arcsin arccos arctan cot sec csc coth
        function =: max min sup inf abs sign trace
        function log: ln lg
        function trace: tr Tr
        function sign: sgn
        function arcsin: asin
        function arccos: acos
        function arctan: atan
    """).items()
}
# what is written before its argument, and may be without brackets
PREFIX = words("log exp sin cos tan sinh cosh tanh erf det arcsin arccos arctan trace sign cot sec csc coth gamma Phi")
MEANS = {
    "E": "E",
    "Var": "Var",
    "var": "Var",
    "Cov": "Cov",
    "cov": "Cov",
    "P": "P",
    "Pr": "P",
    "Prob": "P",
    "KL": "KL",
    "KLD": "KL",
}
RELATIONS = words("= < > <= >= != approx proportional define law")  # between the sides of a chain
SYMBOLS = {letter: ("name", name) for letter, name in GREEK.items()} | vocabulary("""
    relation =: = < >
    relation <=: ≤ ⩽
    relation >=: ≥ ⩾
    relation !=: ≠
    relation approx: ≈ ≃
    relation proportional: ∝
    relation define: ≡ ≔ ≜
    relation in: ∈
    relation ~: ∼
    relation to: →
    name epsilon: ϵ
    name varphi: ϕ
    name vartheta: ϑ
    name rho: ϱ
    name ell: ℓ
    name Delta: ∆
    name top: ⊤ †
    name N: 𝒩
    sign =: + - ! , ; : '
    sign -: −
    sign dot: · ⋅ ∗ *
    sign times: ×
    sign circ: ∘
    sign ': ′
    open =: ( [
    close =: ) ]
    open <: ⟨
    close >: ⟩
    bar: |
    given: ∣
    bars: ‖ ∥
    nabla: ∇
    partial: ∂
    constant infinity: ∞
    dots: … ⋯
    big sum: ∑
    big product: ∏
    big integral: ∫
    set R: ℝ
    set N: ℕ
    set Z: ℤ
    mean E: 𝔼
    mean P: ℙ
    then: ⇒ ⟹ ⇔ ⟺ ∴
""")


def named(word: str, at: int, *, style: str = "word") -> Token:
    """The token of a word set upright, \\operatorname{Var} or op("Var"): a function's, a mean's, or a name."""
    if word in FUNCTIONS:
        return Token("function", FUNCTIONS[word], at)
    if word in MEANS:
        return Token("mean", MEANS[word], at)
    if word in ("d", "e", "T"):
        return Token({"d": "dif", "e": "constant", "T": "name"}[word], {"T": "top"}.get(word, word), at)
    if word == "I":
        return Token("name", "I", at, style="bold")
    if not word.isalnum():
        raise Misread(f'"{word}" is no name', at, "use letters alone")
    if word.isdecimal():
        return Token("number", word, at)
    return Token("name", word, at, style=style)


def blackboard(letter: str, at: int) -> Token:
    r"""\mathbb{...}: a set, a mean or an indicator."""
    if letter in ("R", "N", "Z"):
        return Token("set", letter, at)
    if letter in ("E", "P"):
        return Token("mean", letter, at)
    if letter in ("V", "D"):
        return Token("mean", "Var", at)
    if letter in ("1", "I"):
        return Token("indicator", "", at)
    raise Misread(f"the blackboard letter {letter} has no meaning here", at, "use another letter")


def calligraphic(letter: str, at: int) -> Token:
    r"""\mathcal{...}: N and U are laws' names, the others are other symbols than the plain letters."""
    if len(letter) != 1 or not letter.isalpha():
        raise Misread(f'a calligraphic "{letter}" is no name', at, "use one letter")
    return Token("name", letter if letter in ("N", "U") else f"cal{letter}", at, style="cal")


def closing(tokens: list[Token], start: int) -> int:
    """The index of what closes the bracket or group that opens at `start`; the end, if nothing does."""
    depth = 0
    for index in range(start, len(tokens)):
        depth += {"open": 1, "begin": 1, "close": -1, "end": -1}.get(tokens[index].kind, 0)
        if depth == 0:
            return index
    return len(tokens)

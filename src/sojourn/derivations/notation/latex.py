r"""LaTeX mathematics -> tokens. Arguments become groups: \frac12, \frac{1}{2} and x^2 have "begin" and "end" round each
one."""

from __future__ import annotations

import re

from sojourn.derivations.notation.tokens import (
    DEEPEST,
    FUNCTIONS,
    GREEK,
    LONGEST,
    MEANS,
    SYMBOLS,
    Misread,
    Token,
    blackboard,
    calligraphic,
    named,
    vocabulary,
    words,
)

_SPACES = words(r"\, \: \; \! \> \thinspace \medspace \thickspace \enspace \hfill \negthinspace ~") | {
    "\\ ",
    "\\\n",
    "\\\t",
}
_DELIMITED = words(
    r"\left \right \middle \big \Big \bigg \Bigg \bigl \bigr \Bigl \Bigr \biggl \biggr \Biggl \Biggr \bigm \Bigm"
)
_SKIPPED = _DELIMITED | words(
    r"""\displaystyle \textstyle \scriptstyle \limits \nolimits \nonumber \notag \rm \bf \it \mathstrut \strut
    \allowbreak \ensuremath \boxed \mathop \mathrel \mathbin \mathord \centering \forall
    \square \blacksquare \Box \qed"""
)
_SWALLOWED = words(r"\tag \tag* \label \color \vspace \hspace \hspace* \phantom \hphantom \vphantom")
_ENVIRONMENTS = words("aligned align split equation gathered gather alignedat alignat multline")
_ACCENTS = {
    name: value
    for name, (_, value) in vocabulary(r"""
        accent bar: \bar \overline
        accent tilde: \tilde \widetilde
        accent hat: \hat \widehat
        accent dot: \dot
    """).items()
}
_STYLES = words(r"\mathbf \boldsymbol \bm \pmb \vec \mathbfit \symbf")
_WORDS = words(r"\operatorname \operatorname* \mathrm \mathsf \textrm \mathit \textsc \mathtt \textup")
_TEXTS = words(r"\text \mbox \textit \textbf \hbox \intertext \shortintertext \emph \textnormal")
_COMMANDS = {rf"\{name}": ("name", name) for name in GREEK.values()}
_COMMANDS |= {rf"\{name}": ("function", value) for name, value in FUNCTIONS.items() if name not in ("abs", "sign")}
_COMMANDS |= {rf"\{name}": ("mean", value) for name, value in MEANS.items() if name != "P"}
_COMMANDS |= vocabulary(r"""
    name epsilon: \varepsilon \eps
    name kappa: \varkappa
    name rho: \varrho
    name sigma: \varsigma
    name pi: \varpi
    name varphi: \varphi
    name vartheta: \vartheta
    name ell: \ell
    name top: \top \intercal \dagger
    sign ': \prime
    sign star: \ast \star
    sign dot: \cdot
    sign times: \times
    sign circ: \circ
    sign :: \colon
    sign slash: \slash
    constant infinity: \infty
    dots: \dots \ldots \cdots \vdots \dotsc \dotsb
    nabla: \nabla
    partial: \partial
    dif d: \dif \dd
    set R: \R \reals
    set N: \N
    set Z: \Z
    mean P: \prob
    big sum: \sum
    big product: \prod
    big integral: \int
    quad: \quad \qquad
    given: \mid \given
    bar: \vert
    bar open: \lvert
    bar close: \rvert
    bars: \parallel \Vert \|
    bars open: \lVert
    bars close: \rVert
    open {: \{ \lbrace
    close }: \} \rbrace
    open <: \langle
    close >: \rangle
    open [: \lbrack
    close ]: \rbrack
    open (: \lparen
    close ): \rparen
    relation <=: \le \leq \leqslant
    relation >=: \ge \geq \geqslant
    relation <: \lt
    relation >: \gt
    relation !=: \ne \neq
    relation approx: \approx \simeq
    relation proportional: \propto
    relation ~: \sim
    relation in: \in
    relation to: \to \rightarrow
    relation define: \coloneqq \triangleq \equiv \doteq
    then: \implies \Rightarrow \Longrightarrow \iff \Leftrightarrow \Longleftrightarrow \therefore
    row: \\ \newline \cr
""")
_SCAN = re.compile(
    r"(?:Var|Cov|KL|Pr|Tr|tr)(?=\s*(?:\\(?:left|[bB]igg?l?)\s*)?[\[(])|\\(?:[A-Za-z]+\*?|.)|\d+(?:\.\d+)?|\.\d+|:=|=:|.",
    re.DOTALL,
)


def tokens(text: str) -> list[Token]:
    """The tokens of LaTeX mathematics, each with its place in `text`.

    Raises:
        Misread: a command is unknown, a group is not closed, or the text is too long or too deep.
    """
    if len(text) > LONGEST:
        raise Misread(f"a formula of {len(text)} characters", 0, f"split it; {LONGEST} are read")
    return _Scanner(text).sequence(0, "")


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text, self.place = text, 0

    def sequence(self, depth: int, end: str) -> list[Token]:
        """Tokens up to `end`, "}" or "]" or the end of the text, which is passed over."""
        out: list[Token] = []
        start = self.place
        if depth > DEEPEST:
            raise Misread("a formula is nested too deeply", start - 1, "name parts of it on lines of their own")
        while (word := self.peek()) is not None:
            if word == end and (end == "}" or _balanced(out)):
                self.take()
                return out
            if word == "}":
                raise Misread('"}" closes nothing', self.place, "remove it, or open the group with {")
            out += self.item(depth)
        if end:
            raise Misread(f'"{"{" if end == "}" else "["}" is not closed', max(start - 1, 0), f'add "{end}"')
        return out

    def peek(self) -> str | None:
        """The next word after blanks and comments; None at the end."""
        while self.place < len(self.text):
            character = self.text[self.place]
            if character == "%":
                stop = self.text.find("\n", self.place)
                self.place = len(self.text) if stop < 0 else stop
            elif character.isspace():
                self.place += 1
            else:
                found = _SCAN.match(self.text, self.place)
                return found[0] if found else character
        return None

    def take(self) -> tuple[str, int]:
        word, at = self.peek(), self.place
        if word is None:
            raise Misread("the formula ends where something must follow", max(len(self.text) - 1, 0), "complete it")
        self.place += len(word)
        return word, at

    def item(self, depth: int) -> list[Token]:
        """The tokens of the next word, arguments included."""
        word, at = self.take()
        if word == "{":
            if old := re.match(r"\{\s*\\(rm|bf|cal|sf|it)\b\s*([^{}\\]*)\}", self.text[at:]):
                self.place = at + old.end()
                return {"bf": lambda: self.bold(_group([Token("name", old[2].strip(), at)], at, at), at)}.get(
                    old[1], lambda: [named(old[2].strip(), at)]
                )()
            return self.sequence(depth + 1, "}")  # a group that is no argument shows nothing
        if word in ("^", "_"):
            return self.script(word, at, depth)
        if word in _SPACES or word in ("~",):
            return []
        if word in _SKIPPED:
            return self.delimiter(word) if word in _DELIMITED else []
        if word[0] == "\\":
            return self.command(word, at, depth)
        if word[0].isdigit() or (word[0] == "." and len(word) > 1):
            return [Token("number", word, at)]
        if word.isalpha() and len(word) > 1:
            return [named(word, at)]
        if word == ":=":
            return [Token("relation", "define", at)]
        if word in ("/", "=:"):
            return [Token("sign", "slash", at) if word == "/" else Token("relation", "defines", at)]
        if word == "&":
            return [Token("align", "", at)]
        if word in SYMBOLS:
            kind, value = SYMBOLS[word]
            return [Token(kind, value, at)]
        if word.isascii() and word.isalpha():
            return [Token("name", word, at)]
        if word == ".":
            return [Token("stop", ".", at)]
        raise Misread(f'the character "{word}" is not read in formulas', at, r"write words as \text{...}")

    def delimiter(self, word: str) -> list[Token]:
        r"""What follows \left, \right, \big and the like: bars then know their side, and a point is nothing."""
        following = self.peek()
        if following == ".":
            self.take()
        if following not in ("|", r"\|", r"\vert", r"\Vert"):
            return []
        side = (
            "open" if word[-1] == "l" or word == r"\left" else "close" if word[-1] == "r" or word == r"\right" else ""
        )
        _, at = self.take()
        if word == r"\middle" or word[-1] == "m":
            return [Token("given" if following in ("|", r"\vert") else "bars", "", at)]
        return [Token("bar" if following in ("|", r"\vert") else "bars", side, at)]

    def argument(self, depth: int) -> list[Token]:
        """One argument as a group: {...}, or one digit, letter or command with its own arguments."""
        if depth > DEEPEST:
            raise Misread("a formula is nested too deeply", self.place - 1, "name parts of it on lines of their own")
        word, at = self.peek(), self.place
        if word is None or word in ("}", "&", r"\\"):
            raise Misread("an argument is missing", min(at, len(self.text) - 1), "add it in braces, {...}")
        if word[0].isdigit():
            at = self.place
            self.place += 1
            return _group([Token("number", self.text[at], at)], at, at)
        inner = self.item(depth + 1)
        while not inner and self.peek() not in (None, "}"):
            inner = self.item(depth + 1) if word in _SPACES or word in _SKIPPED else [Token("name", "", at)]
        if inner and inner[0].kind == "begin" and inner[-1].kind == "end":
            return inner
        return _group(inner, at, self.place)

    def script(self, word: str, at: int, depth: int) -> list[Token]:
        group = self.argument(depth)
        follows = self.text[self.place : self.place + 1]
        if len(group) == 3 and group[1].kind == "number" and len(group[1].text) == 1 and follows.isdigit():
            raise Misread(
                f"{word}{group[1].text}{follows} raises or lowers one digit alone",
                at,
                f"write {word}{{{group[1].text}{follows}...}}",
            )
        return [Token("sign", word, at), *group]

    def command(self, word: str, at: int, depth: int) -> list[Token]:
        if word not in _COMMANDS and word.endswith("*") and word not in (*_WORDS, *_SWALLOWED):
            word, self.place = word[:-1], self.place - 1  # \log * x
        if word in (r"\frac", r"\tfrac", r"\dfrac", r"\cfrac"):
            return [Token("fraction", "", at), *self.argument(depth), *self.argument(depth)]
        if word in (r"\binom", r"\tbinom", r"\dbinom"):
            return [Token("binomial", "", at), *self.argument(depth), *self.argument(depth)]
        if word == r"\sqrt":
            degree: list[Token] = []
            if self.peek() == "[":
                self.take()
                degree = self.sequence(depth + 1, "]")
            return [Token("root", "", at), *_group(degree, at, at), *self.argument(depth)]
        if word in _ACCENTS:
            return [Token("accent", _ACCENTS[word], at), *self.argument(depth)]
        if word in _STYLES:
            return self.bold(self.argument(depth), at)
        if word in (r"\mathcal", r"\mathscr", r"\mathfrak"):
            return [calligraphic(self.raw(at).strip(), at)]
        if word == r"\mathbb":
            return [blackboard(self.raw(at).strip(), at)]
        if word in (r"\mathds", r"\mathbbm"):
            return [blackboard(self.raw(at).strip(), at)]
        if word in _WORDS:
            return [named(re.sub(r"\\[,;:! ]|\s", "", self.raw(at)), at)]
        if word in _TEXTS:
            return [Token("word", self.raw(at), at)]
        if word in (r"\overset", r"\stackrel"):
            return self.above(at, depth)
        if word in (r"\underbrace", r"\overbrace"):
            inner = self.argument(depth)
            if self.peek() in ("_", "^"):
                self.take()
                self.raw(at)
            return inner[1:-1] if inner[1].kind == "sign" else inner
        if word in _SWALLOWED:
            self.raw(at)
            return []
        if word in (r"\begin", r"\end"):
            return self.environment(word, at)
        if word in _COMMANDS:
            kind, value = _COMMANDS[word]
            if kind == "row" and self.peek() == "[" and re.match(r"\[-?[\d.]+\s*[a-z]+\]", self.text[self.place :]):
                self.place = self.text.index("]", self.place) + 1
            return [Token(kind, value, at)]
        raise Misread(f"the command {word} is not known", at, "write the formula without it")

    def environment(self, word: str, at: int) -> list[Token]:
        name = self.raw(at).strip().rstrip("*")
        if name not in _ENVIRONMENTS:
            raise Misread(
                f"{word}{{{name}}} is not read", at, "use aligned, split or gathered, with one formula a line"
            )
        if name in ("alignedat", "alignat") and word == r"\begin":
            self.raw(at)
        return []

    def above(self, at: int, depth: int) -> list[Token]:
        r"""\overset{d}{=}: a relation with what stands above it."""
        label = re.sub(r"\\(text|mathrm|rm|textnormal|operatorname)\b|[{}\s]|\\[,;! ]", "", self.raw(at))
        base = self.argument(depth)[1:-1]
        if len(base) != 1 or base[0].kind not in ("relation", "then"):
            raise Misread("something stands above what is no relation", at, r"use \overset with =, \le, \sim alone")
        if base[0].text == "=" and label.lower() in ("d", "law", "dist", r"\mathcal{D}", r"\mathcald", r"\mathcaL"):
            return [Token("relation", "law", at)]
        if base[0].text == "=" and label.lower() in ("def", "def.", r"\delta", r"\triangle", "."):
            return [Token("relation", "define", at)]
        return [Token(base[0].kind, base[0].text, at)]

    def bold(self, group: list[Token], at: int) -> list[Token]:
        inner = group[1:-1]
        if len(inner) == 1 and inner[0].text == "1" and inner[0].kind == "number":
            return [Token("indicator", "", at)]
        if len(inner) == 1 and inner[0].kind == "name":
            return [Token("name", inner[0].text, at, style="bold")]
        if len(inner) == 1 and inner[0].kind in ("mean", "set", "nabla", "indicator"):
            return inner
        return [Token(t.kind, t.text, t.at, style="bold") if t.kind == "name" and not t.style else t for t in group]

    def raw(self, at: int) -> str:
        """The text of an argument as it stands: {...} with its inner braces, or one character."""
        word = self.peek()
        if word is None:
            raise Misread("an argument is missing", at, "add it in braces, {...}")
        if word != "{":
            self.take()
            return word
        depth, start = 0, self.place
        while self.place < len(self.text):
            character = self.text[self.place]
            self.place += 2 if character == "\\" else 1
            depth += {"{": 1, "}": -1}.get(character, 0)
            if depth == 0:
                return self.text[start + 1 : self.place - 1]
        raise Misread('"{" is not closed', start, 'add "}"')


def _group(inner: list[Token], start: int, stop: int) -> list[Token]:
    return [Token("begin", "", start), *inner, Token("end", "", stop)]


def _balanced(tokens: list[Token]) -> bool:
    return sum({"open": 1, "close": -1}.get(t.kind, 0) for t in tokens) == 0

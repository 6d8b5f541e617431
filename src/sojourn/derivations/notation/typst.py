"""Typst mathematics -> tokens. Typst's own functions and its fractions a/b become groups, as in LaTeX."""

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
    closing,
    named,
    vocabulary,
    words,
)

_SPACES = words("thin med thick space sym.space med.thin")
_NAMES = {name: ("name", name) for name in GREEK.values()}
_NAMES |= {
    name: ("function", value)
    for name, value in FUNCTIONS.items()
    if name not in ("abs", "sign", "sgn", "erf", "Tr", "trace", "asin", "acos", "atan")
}
_NAMES |= vocabulary("""
    name epsilon: epsilon.alt
    name kappa: kappa.alt
    name rho: rho.alt
    name sigma: sigma.alt
    name pi: pi.alt
    name varphi: phi.alt
    name vartheta: theta.alt
    name ell: ell
    name top: top tack.b dagger
    name Delta: laplace
    sign ': prime
    sign star: star ast star.op ast.op
    sign dot: dot dot.c dot.op
    sign times: times
    sign circ: compose
    sign slash: slash
    sign +: plus
    sign -: minus
    sign :: colon
    sign ;: semi
    sign ,: comma
    constant infinity: infinity oo
    dots: dots dots.h dots.c dots.h.c dots.v dots.down
    nabla: nabla gradient
    partial: partial diff
    dif d: dif
    mean P: Pr PP
    mean E: EE
    set R: RR
    set N: NN
    set Z: ZZ
    quad: quad wide
    big sum: sum
    big product: product
    big integral: integral
    given: divides
    bar: bar.v
    bars: parallel bar.v.double
    open <: angle.l chevron.l
    close >: angle.r chevron.r
    relation <: lt
    relation >: gt
    relation <=: lt.eq lt.eq.slant
    relation >=: gt.eq gt.eq.slant
    relation !=: eq.not
    relation approx: approx
    relation define: eq.def eq.triple equiv eq.delta colon.eq
    relation proportional: prop
    relation ~: tilde tilde.op
    relation in: in
    relation to: arrow.r arrow
    then: implies iff arrow.r.double arrow.l.r.double therefore arrow.r.double.long
""") | {"eq": ("relation", "=")}
_SHORT = vocabulary("""
    then: <=> ==> <==> =>
    relation =: = < > <= >= != ~
    relation define: := ::=
    relation defines: =:
    relation to: -> -->
    dots: ...
    bars: ||
    open {: {
    close }: }
""")
_ACCENTS = {"macron": "bar", "overline": "bar", "tilde": "tilde", "hat": "hat", "dot": "dot"}
_PLAIN = words("lr display inline script sscript limits scripts stretch mid italic math.italic box")
_CALLS = {*_ACCENTS, *_PLAIN} | words(
    "frac sqrt root binom abs norm op math.op upright bold cal scr bb attach underbrace overbrace arrow underline"
)
_CALLED = (
    "name",
    "word",
    "mean",
    "function",
    "accent",
    "indicator",
    "set",
    "nabla",
)  # what a bracket belongs to without a blank
_SCAN = re.compile(
    r'"(?:\\.|[^"\\])*"|\\.|[^\W\d_][^\W_]*(?:\.[a-z]+)*|\d+(?:\.\d+)?|<==>|<=>|==>|::=|-->|:=|=:|<=|>=|!=|->|=>|\.\.\.|\|\||.',
    re.DOTALL,
)
_BLANK = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)*", re.DOTALL)


def tokens(text: str) -> list[Token]:
    """The tokens of Typst mathematics, each with its place in `text`.

    Raises:
        Misread: a name is unknown, a bracket of a function is not closed, or the text is too long or too deep.
    """
    if len(text) > LONGEST:
        raise Misread(f"a formula of {len(text)} characters", 0, f"split it; {LONGEST} are read")
    return _Scanner(text).sequence(0)


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text, self.place = text, 0

    def sequence(self, depth: int, ends: str = "") -> list[Token]:
        """Tokens up to one of `ends`, which is left, or to the end of the text."""
        if depth > DEEPEST:
            raise Misread("a formula is nested too deeply", self.place - 1, "name parts of it on lines of their own")
        items: list[list[Token]] = []
        while (word := self.peek()) is not None and word not in ends.split():
            if word == "/":
                _, at = self.take()
                if not items or self.peek() is None:
                    raise Misread('"/" stands between nothing', at, "give numerator and denominator")
                top, bottom = _stripped(items.pop()), _stripped(self.item(depth))
                items.append([Token("fraction", "", at), *_group(top, at), *_group(bottom, at)])
            else:
                items.append(self.item(depth))
        return [token for item in items for token in item]

    def peek(self) -> str | None:
        blank = _BLANK.match(self.text, self.place)
        self.place = blank.end() if blank else self.place
        found = _SCAN.match(self.text, self.place)
        return found[0] if found else None

    def take(self) -> tuple[str, int]:
        word, at = self.peek(), self.place
        if word is None:
            raise Misread("the formula ends where something must follow", max(len(self.text) - 1, 0), "complete it")
        self.place += len(word)
        return word, at

    def next_is(self, characters: str) -> bool:
        """Whether one of these characters follows without a blank."""
        return self.text[self.place : self.place + 1] in tuple(characters)

    def item(self, depth: int) -> list[Token]:
        """What Typst takes as one: a name or bracket with its call, subscripts, powers, primes and factorials."""
        out = self.primary(depth)
        if not out:
            return out
        # Typst takes f(x) as one, but op("f")(x) and f_i(x) apart; nobody means that, so they are one here too
        callable_ = out[0].kind in _CALLED
        if callable_ and self.next_is("([{"):
            out = out + self.bracket(depth)
        while self.next_is("_^'!") and not self.text.startswith("!=", self.place):
            word, at = self.take()
            if word in "'!":
                out = [*out, Token("sign", word, at)]
                continue
            if self.peek() is None:
                raise Misread(f'nothing follows "{word}"', at, f"write {word}(...)")
            group = _stripped(self.primary(depth + 1))
            if group and group[0].kind == "name" and self.next_is("'"):
                group = [*group, Token("sign", *self.take())]
            out = (
                _decorated(out[0], group)
                if out[0].kind == "relation"
                else [*out, Token("sign", word, at), *_group(group, at)]
            )
            if callable_ and self.next_is("([{"):
                out = out + self.bracket(depth)
        return out

    def primary(self, depth: int) -> list[Token]:
        spaced = self.place > 0 and self.text[self.place - 1 : self.place].isspace()
        word, at = self.take()
        spaced = spaced or (at > 0 and self.text[at - 1].isspace())
        if word in ("(", "[", "{"):
            self.place = at
            return self.bracket(depth, spaced=spaced)
        if word[0] == '"':
            content = re.sub(r"\\(.)", r"\1", word[1:-1]) if len(word) > 1 else ""
            if len(word) < 2:
                raise Misread("a quotation mark is not closed", at, 'add a second "')
            known = content in FUNCTIONS or content in MEANS or content in ("d", "e", "T", "I")
            known |= self.next_is("(") and content.isascii() and content.isalpha()  # "Bernoulli"(p)
            return [named(content, at) if known else Token("word", content, at)]
        if word[0] == "\\":
            if word[1:].isspace():
                return [Token("row", "", at)]
            if word[1:] == "/":
                return [Token("sign", "slash", at)]
            return self.character(word[1:], at)
        if word == "\\" or word == "#":
            if word == "\\":
                return [Token("row", "", at)]
            raise Misread("code (#) is not read in formulas", at, "write the formula out")
        if word[0].isdigit():
            return [Token("number", word, at)]
        if word in _SHORT:
            kind, value = _SHORT[word]
            return [Token(kind, value, at)]
        if len(word) > 1:
            return self.name(word, at, depth)
        return self.character(word, at)

    def character(self, word: str, at: int) -> list[Token]:
        if word == "&":
            return [Token("align", "", at)]
        if word in _SHORT or word in SYMBOLS:
            kind, value = _SHORT.get(word) or SYMBOLS[word]
            return [Token(kind, value, at)]
        if word.isascii() and word.isalpha():
            return [Token("name", word, at)]
        if word == ".":
            return [Token("stop", ".", at)]
        raise Misread(f'the character "{word}" is not read in formulas', at, 'write words in quotes, "..."')

    def bracket(self, depth: int, *, spaced: bool = False) -> list[Token]:
        word, at = self.take()
        inner = self.sequence(depth + 1, ") ] }")
        if self.peek() is None:
            raise Misread(f'"{word}" is not closed', at, "close it")
        close, end = self.take()
        return [Token("open", word, at, spaced=spaced), *inner, Token("close", close, end)]

    def name(self, word: str, at: int, depth: int) -> list[Token]:
        if word in _CALLS and self.next_is("("):
            return self.call(word, at, depth)
        while word not in _NAMES and word not in _SPACES and "." in word:  # a sentence's point is no modifier
            word = word.rpartition(".")[0]
            self.place = at + len(word)
        if word in _SPACES:
            return []
        if word in _NAMES:
            kind, value = _NAMES[word]
            return [Token(kind, value, at)]
        if len(word) == 1:
            return self.character(word, at)
        raise Misread(f'the name "{word}" is not known', at, f'put blanks between letters, or write "{word}" in quotes')

    def call(self, word: str, at: int, depth: int) -> list[Token]:
        """One of Typst's functions with its arguments."""
        start = self.place
        self.take()
        arguments = [self.sequence(depth + 1, ") ,")]
        while self.peek() == ",":
            self.take()
            arguments.append(self.sequence(depth + 1, ") ,"))
        if self.peek() is None:
            raise Misread(f"the bracket of {word} is not closed", start, 'add ")"')
        self.take()
        inside = self.text[start + 1 : self.place - 1].strip().strip('"')
        needed = 2 if word in ("frac", "root", "binom", "attach") else 1
        if len(arguments) < needed or not all(arguments[:needed]):
            raise Misread(
                f"{word} needs {needed} argument{'s' * (needed > 1)}", at, f"give {'them' if needed > 1 else 'it'}"
            )
        first = arguments[0]
        if word in ("frac", "binom"):
            return [
                Token({"frac": "fraction", "binom": "binomial"}[word], "", at),
                *_group(first, at),
                *_group(arguments[1], at),
            ]
        if word in ("sqrt", "root"):
            degree, body = ([], first) if word == "sqrt" else (first, arguments[1])
            return [Token("root", "", at), *_group(degree, at), *_group(body, at)]
        if word in ("abs", "norm"):
            kind = {"abs": "bar", "norm": "bars"}[word]
            return [Token(kind, "open", at), *first, Token(kind, "close", self.place - 1)]
        if word in _ACCENTS:
            return [Token("accent", _ACCENTS[word], at), *_group(first, at)]
        if word in ("op", "upright", "math.op"):
            return [named(re.sub(r'".*|\s', "", inside), at)]
        if word == "mid" and [t.kind for t in first] == ["bar"]:
            return [Token("given", "", at)]
        if word in ("cal", "scr"):
            return [calligraphic(inside, at)]
        if word == "bb":
            return [blackboard(inside, at)]
        if word == "attach":
            label = [t for t in arguments[1] if t.text != "t" and t.text != ":"]
            return _decorated(first[0], label) if first[0].kind == "relation" else first
        if word in ("bold", "arrow"):
            if inside == "1":
                return [Token("indicator", "", at)]
            return [Token(t.kind, t.text, t.at, style="bold") if t.kind == "name" and not t.style else t for t in first]
        return first


def _decorated(sign: Token, label: list[Token]) -> list[Token]:
    """A relation with a label above: =^d is equality in law, =^"def" a definition; others only number the step."""
    text = "".join(t.text for t in label)
    if sign.text == "=" and text in ("d", "law", "calD", "dist"):
        return [Token("relation", "law", sign.at)]
    if sign.text == "=" and text in ("def", "Delta", "def."):
        return [Token("relation", "define", sign.at)]
    return [sign]


def _stripped(item: list[Token]) -> list[Token]:
    """Without the round brackets that Typst takes off numerators, denominators and scripts."""
    if item and item[0].text == "(" and item[0].kind == "open" and closing(item, 0) == len(item) - 1:
        return item[1:-1]
    return item


def _group(inner: list[Token], at: int) -> list[Token]:
    return [Token("begin", "", at), *inner, Token("end", "", at)]

r"""Tokens -> trees, by one parser for LaTeX and Typst: each level of binding is a method, loosest first.

    relation   a = b <= c              sum    a + b - c        product  a \cdot b \times c
    slash      a / b                   side   a b c            factor   x^2, n!, then operands (`operands`)

A function without brackets takes the product that follows, up to + - or a relation, to \cdot, or to the next function.
What a reader could take in two ways is an error, not a guess: 1/2 x, \log p(x)/q(x), \log(x)^2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sojourn.derivations.notation import latex, operands, typst
from sojourn.derivations.notation.nodes import (
    Add,
    At,
    Bracket,
    Call,
    Constant,
    Divide,
    Dots,
    Function,
    Gradient,
    Multiply,
    Negative,
    Node,
    Number,
    Power,
    Relation,
    Symbol,
    Transpose,
    key,
)
from sojourn.derivations.notation.tokens import DEEPEST, PREFIX, RELATIONS, Misread, Token

SYNTAXES = {"latex": latex.tokens, "typst": typst.tokens}
_OPENING = {
    "number",
    "name",
    "function",
    "mean",
    "big",
    "accent",
    "constant",
    "fraction",
    "binomial",
    "root",
    "nabla",
    "partial",
    "begin",
} | {
    "indicator",
    "open",
    "dif",
}


def expression(tokens: Sequence[Token], kinds: Mapping[str, str]) -> Node:
    """The tree of an expression. `kinds`: see `Reader`.

    Raises:
        Misread: the tokens are no expression; it has the place.
    """
    return Reader(tokens, kinds).whole(Reader.sum)


class Reader:
    """A place in a list of tokens.

    `kinds` tells what names (`nodes.key`) are: "function" (a letter before a bracket is called), "field" (a function
    whose values are vectors), "number", "vector" or "process" (Itô's; with one, d before a symbol or a bracket is a
    differential).
    """

    def __init__(self, tokens: Sequence[Token], kinds: Mapping[str, str]) -> None:
        self.tokens, self.kinds = tokens, kinds
        self.place, self.limit, self.depth = 0, len(tokens), 0
        self.bars = [""]  # what a bar may do: "abs" and "norm" end, "given" divides
        self.differentials = "process" in kinds.values()

    # The tokens

    def peek(self, ahead: int = 0) -> Token | None:
        place = self.place + ahead
        return self.tokens[place] if place < self.limit else None

    def at(self, kind: str, *texts: str) -> bool:
        """Whether the next token is of this kind, with one of these texts if there are any."""
        token = self.peek()
        return token is not None and token.kind == kind and (not texts or token.text in texts)

    def take(self) -> Token:
        token = self.peek()
        if token is None:
            raise self.misread("something is missing at the end", "complete the formula")
        self.place += 1
        return token

    def expect(self, kind: str, *texts: str, what: str) -> Token:
        if not self.at(kind, *texts):
            raise self.misread(f"{what} is missing", f"add {what}")
        return self.take()

    def misread(self, what: str, remedy: str, token: Token | None = None) -> Misread:
        token = token or self.peek() or (self.tokens[self.limit - 1] if self.limit else None)
        return Misread(what, token.at if token else 0, remedy)

    def whole(self, read) -> Node:
        """What `read` makes of all the tokens."""
        found = read(self)
        if (token := self.peek()) is not None:
            raise self.misread(f"{described(token)} does not fit here", "check brackets and signs before it")
        return found

    @contextmanager
    def within(self, bars: str) -> Iterator[None]:
        """Inside brackets or groups, where bars have this meaning."""
        self.bars.append(bars)
        try:
            yield
        finally:
            self.bars.pop()

    @contextmanager
    def until(self, limit: int) -> Iterator[None]:
        """As if the tokens ended at `limit`."""
        before, self.limit = self.limit, limit
        try:
            yield
        finally:
            self.limit = before

    def group(self, read=None) -> Node:
        """What stands in a group that is not seen."""
        start = self.expect("begin", what="an argument")
        with self.within(""):
            if self.at("end"):
                raise self.misread("an argument is empty", "give it", start)
            found = (read or Reader.sum)(self)
            if not self.at("end"):
                token = self.peek()
                raise self.misread(f"{described(token)} does not fit here", "check brackets and signs before it")
            self.take()
        return found

    # The levels of binding

    def chain(self, first: Node | None) -> Node:
        """a, or a = b <= c as a `Relation`."""
        sides, signs = [first], []
        while self.at("relation", *RELATIONS):
            signs.append(self.take().text)
            sides.append(self.sum())
        return Relation(tuple(sides), tuple(signs)) if signs else first

    def sum(self) -> Node:
        terms: list[Node] = []
        while True:
            negative = False
            if self.at("sign", "+", "-"):
                negative = self.take().text == "-"
            term = self.product()
            if isinstance(term, Add) and not negative:
                terms += term.terms  # an underbrace round several
            else:
                terms.append(Negative(term) if negative else term)
            if not self.at("sign", "+", "-"):
                return terms[0] if len(terms) == 1 else Add(tuple(terms))

    def product(self) -> Node:
        found = self.slash()
        while self.at("sign", "dot", "times"):
            sign = self.take().text
            factors = [found, self.slash()]
            while self.at("sign", sign):
                self.take()
                factors.append(self.slash())
            found = Multiply(tuple(factors), sign)
        return found

    def slash(self) -> Node:
        found = self.side()
        while self.at("sign", "slash"):
            token = self.take()
            if _open_ended(found):
                raise self.misread(
                    "a function's argument before / may end in two places", r"write brackets, or \frac", token
                )
            below = self.factor()
            following = self.peek()
            if following is not None and (
                following.kind in ("name", "number", "accent", "root") or self.at("open", "(", "[")
            ):
                raise self.misread("a/b c may be read in two ways", r"write \frac{a}{b} c or a/(b c)", token)
            found = Divide(found, below, inline=True)
        return found

    def side(self) -> Node:
        """Factors side by side."""
        factors = [self.factor()]
        while self.opens():
            factors.append(self.next_factor(factors[-1]))
        return factors[0] if len(factors) == 1 else Multiply(tuple(factors))

    def next_factor(self, before: Node) -> Node:
        if self.at("number") and isinstance(before, Number):
            raise self.misread("two numbers stand side by side", r"write \cdot between them")
        return self.factor()

    def opens(self) -> bool:
        """Whether the next token begins a factor."""
        token = self.peek()
        if token is None:
            return False
        if token.kind == "word":
            return is_name(token.text)
        if token.kind not in ("bar", "bars"):
            return token.kind in _OPENING
        if self.bars[-1] == "divides":
            return token.text == "open"
        if token.text == "open" or self.bars[-1] == {"bar": "abs", "bars": "norm"}[token.kind] or token.text == "close":
            return token.text == "open"
        following = self.peek(1)
        if following is not None and following.kind == "sign" and following.text == "_":
            return False
        if self.bars[-1] == "norm" and following is not None and following.kind == "bar":
            return False  # the end of ||x||
        return token.kind == "bars" or self.bars[-1] != "given" or self._pairs()

    def _pairs(self) -> bool:
        """Whether an even number of bars is left in the bracket: then the next one does not divide."""
        count, depth = 0, 0
        for token in self.tokens[self.place : self.limit]:
            depth += {"open": 1, "begin": 1, "close": -1, "end": -1}.get(token.kind, 0)
            if depth < 0:
                break
            count += depth == 0 and token.kind == "bar"
        return count % 2 == 0

    def factor(self) -> Node:
        """An operand with what follows it: powers, transposes, factorials, a value at a point."""
        start = self.peek()
        found = self.operand()
        while (token := self.peek()) is not None:
            if token.kind == "sign" and token.text == "^":
                if isinstance(found, Power):
                    raise self.misread("a power has two exponents", "write braces", token)
                found = self.raised(found, self.exponent(), token)
            elif token.kind == "sign" and token.text == "!":
                self.take()
                found = Function("factorial", (found,))
            elif token.kind == "sign" and token.text in ("_", "'"):
                what = {"_": "a subscript", "'": "a prime"}[token.text]
                raise self.misread(f"{what} of what is no symbol", "name it on a line of its own first", token)
            elif (
                token.kind == "bar"
                and (following := self.peek(1)) is not None
                and following.text == "_"
                and self.bars[-1] != "abs"
            ):
                self.take()
                self.take()
                found = self.value_at(found, start)
            else:
                return found
        return found

    def value_at(self, body: Node, start: Token | None) -> Node:
        """f |_{x = 0}."""
        point = self.group(lambda reader: reader.chain(reader.sum()))
        if isinstance(point, Relation) and point.signs == ("=",) and isinstance(point.sides[0], Symbol):
            return At(body, point.sides[0], point.sides[1])
        raise self.misread("the point of evaluation is not read", "write |_{x = 0}", start)

    def exponent(self) -> Node:
        """What stands behind ^; a transpose sign is Symbol("top")."""
        self.take()
        return self.group()

    def raised(self, base: Node, exponent: Node, token: Token) -> Node:
        if exponent == Symbol("top") or (exponent == Symbol("T") and self.is_vector(base)):
            return Transpose(base)
        if isinstance(base, Function) and base.name == "log" and isinstance(base.arguments[0], Bracket):
            raise self.misread("log(...)^... may be read in two ways", r"write (\log(...))^2 or \log((...)^2)", token)
        return Power(base, exponent)

    def operand(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.misread("a formula is nested too deeply", "name parts of it on lines of their own")
        found = self.begin(self.take())
        self.depth -= 1
        return found

    def begin(self, token: Token) -> Node:
        """The operand that begins with this token, which has been taken."""
        if token.kind == "word" and is_name(token.text):
            return Symbol(token.text.rstrip("."), style="word")
        if token.kind == "number":
            return operands.OPERANDS["number"](self, token)
        if token.kind == "sign" and token.text in ("+", "-"):
            inner = self.side()
            return inner if token.text == "+" else Negative(inner)
        if token.kind == "dots":
            return Dots()
        if token.kind not in operands.OPERANDS or (token.kind in ("bar", "bars") and token.text == "close"):
            raise self.misread(f"{described(token)} stands where a term must begin", "check what is before it", token)
        return operands.OPERANDS[token.kind](self, token)

    # What names are

    def kind(self, symbol: Symbol) -> str:
        """ "function", "field", "number", "vector", "process", or "" if nobody has said."""
        plain = Symbol(symbol.name, " ".join(a for a in symbol.accent.split() if a != "prime"), symbol.subscript)
        return self.kinds.get(key(plain), "") or self.kinds.get(key(Symbol(plain.name, plain.accent)), "")

    def is_vector(self, node: Node) -> bool:
        """Whether ^T transposes this: something in it is bold or was declared a vector."""
        match node:
            case Symbol():
                return node.style == "bold" or self.kind(node) == "vector"
            case Call(head=head):
                return head.style == "bold" or self.kind(head) == "field"
            case Bracket(body=body) | Negative(body=body):
                return self.is_vector(body)
            case Add(terms=parts) | Multiply(factors=parts):
                return any(self.is_vector(part) for part in parts)
            case Gradient(kind=kind):
                return kind == "gradient"
            case Constant(name=name):
                return name == "identity"
            case Power(base=base):
                return self.is_vector(base)
        return False


def is_name(word: str) -> bool:
    """Whether quoted text in a formula is a symbol: one word of Latin letters, as in + const."""
    return word.rstrip(".").isascii() and word.rstrip(".").isalnum() and word[:1].isalpha()


def described(token: Token | None) -> str:
    """A token as an error names it."""
    if token is None:
        return "the end"
    words = {
        "begin": "an argument",
        "end": "the end of an argument",
        "align": '"&"',
        "row": "a line break",
        "quad": "a wide blank",
    }
    words |= {
        "bar": '"|"',
        "given": '"|"',
        "bars": '"||"',
        "word": f'the text "{token.text}"',
        "dots": '"..."',
        "then": "an arrow",
    }
    return words.get(token.kind) or f'"{token.text or token.kind}"'


def _open_ended(node: Node) -> bool:
    """Whether a side ends with a function's argument that has no brackets."""
    if isinstance(node, Multiply) and node.sign == "":
        return _open_ended(node.factors[-1])
    match node:
        case Function(name=name, arguments=(argument,)):
            return name in PREFIX and not isinstance(argument, Bracket)
    return False

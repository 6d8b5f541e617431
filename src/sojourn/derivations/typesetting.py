"""A derivation as Typst markup: title, what is given, prose in one language, steps aligned with their reasons."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby

from sojourn.derivations.document import Document, Given, Heading, Prose, Step, in_language
from sojourn.derivations.notation import grammar, statements
from sojourn.derivations.notation.nodes import Belongs, Distributed, Dots, Node, Relation, Symbol
from sojourn.derivations.notation.printing import math
from sojourn.derivations.notation.tokens import Misread, Token, closing

__all__ = ["document", "math", "prose"]

Entry = Heading | Prose | Given | Step

# Reasons are in the font of the text around. Of several forms the first that fits between the margins is shown;
# the last one is made smaller if none does. Only a display of many rows may go on over the page, and what leads to a
# display or a list stays on its page.
_FITTING = """#let fitting(rows: 1, forms) = context {
  let font = text.font
  show math.equation: set block(breakable: rows > 4)
  let why(body) = text(font: font, size: 0.85em, fill: luma(90), body)
  layout(size => {
    let forms = forms(why)
    let found = forms.find(form => measure(form).width <= size.width)
    if found != none { found } else {
      scale(100% * (size.width / measure(forms.last()).width), reflow: true, forms.last())
    }
  })
}
#let leading(body) = context block(sticky: true, spacing: par.spacing, par(body))
#let given(length, sticky: false, body) = context block(
  sticky: sticky,
  breakable: length > 12,
  spacing: par.spacing,
  body,
)"""
# Under a thin rule and larger than the headings within, as the title of what stands in another's text.
_TITLE = """#block(
  width: 100%,
  above: 2.2em,
  below: 1em,
  sticky: true,
  stroke: (top: 0.4pt + luma(160)),
  inset: (top: 0.8em),
  {{
    set par(first-line-indent: 0em, justify: false)
    text(size: 1.2em, strong[{title}])
    {checked}
  }},
)"""
_ANY = {"en": '~ "any law"', "zh": '~ "任意分布"'}
_CONNECTING = {"and": "，", "where": "，其中 ", "with": "，", "for": "，", "": "，", "for all": "，"}
_CHECKED = {
    "en": (
        "Checked line by line: ",
        ", ",
        ".",
        {"proved": "{} proved by algebra", "holds": "{} hold at every point tried"},
    ),
    "zh": ("已逐行核验：", "，", "。", {"proved": "{} 行由代数证明", "holds": "{} 行在所有试算点上成立"}),
}
_CHECKED["en"][3].update({"defines": "{} define symbols", "not checked": "{} not checked"})
_CHECKED["zh"][3].update({"defines": "{} 行为定义", "not checked": "{} 行未核验"})


def document(found: Document, lang: str, marks: Mapping[int, str]) -> str:
    """The whole derivation in the language "en" or "zh". `marks` is what checks said of lines: "proved"."""
    checked = _checked(marks, lang)
    if found.title:
        title = _words(in_language(found.title, lang), found)
        checked = _TITLE.format(title=title, checked=f"linebreak()\n    [{checked}]" if checked else "")
    out = ["#[", _FITTING, checked]
    groups = [list(group) for _, group in groupby(found.entries, _together)]
    for entries, after in zip(groups, [*groups[1:], []], strict=True):
        out += _group(entries, after, found, lang, marks)
    text = "\n\n".join(filter(None, [*out, "]"])) + "\n"
    return text.replace('~ "any"', _ANY.get(lang, _ANY["en"]))


def _group(
    entries: list[Entry], after: list[Entry], found: Document, lang: str, marks: Mapping[int, str]
) -> Iterator[str]:
    """Markup of one group of `_together`, tied to the group after it where it leads there."""
    if items := [entry for entry in entries if isinstance(entry, Given)]:
        rows = "\n".join(f"- {_words(_item(item.source, lang), found)}" for item in items)
        sticky = "sticky: true, " if after and isinstance(after[0], Step) else ""
        yield f"#given({len(items)}, {sticky}[\n{rows}\n])"
    elif steps := [entry for entry in entries if isinstance(entry, Step)]:
        yield _display(steps, found, lang, marks)
    for entry in entries:
        if isinstance(entry, Prose):
            words = _words(in_language(entry.text, lang), found)
            leads = entry is entries[-1] and after and isinstance(after[0], (Step, Given))
            yield f"#leading[{words}]" if leads else words
        elif isinstance(entry, Heading):
            words = _words(in_language(entry.text, lang), found)
            yield f"#block(above: 1.4em, sticky: true, strong[{words}])"


def _together(entry: Entry) -> tuple[str, int]:
    """Equal for items of one list and for lines of one displayed formula."""
    return type(entry).__name__, entry.block if isinstance(entry, Step) else 0


def prose(text: str, syntax: str, kinds: Mapping[str, str]) -> str:
    """Text with inline formulas as Typst markup; a formula that is not read stands as it was written."""
    out, place = "", 0
    for formula in re.finditer(r"(?<!\\)\$((?:\\.|[^$\\])+)\$|\\\((.*?)\\\)", text):
        out += _escaped(text[place : formula.start()], syntax) + _inline(formula[1] or formula[2] or "", syntax, kinds)
        place = formula.end()
    return out + _escaped(text[place:], syntax)


def _words(text: str, found: Document) -> str:
    return prose(text, found.syntax, found.kinds)


def _inline(text: str, syntax: str, kinds: Mapping[str, str]) -> str:
    try:
        tokens = grammar.SYNTAXES[syntax](text)
    except Misread:
        return f"#raw({_quoted(text)});"
    try:
        return f"${', '.join(_segment(part, kinds) for part in statements.split(tokens))}$"
    except Misread:
        return _loosely(tokens) or f"#raw({_quoted(text)});"


def _loosely(tokens: list[Token]) -> str:
    r"""Signs one by one, for formulas of prose that no step may hold, such as X \circ dW; "" for others."""
    signs = {"dot": "dot", "times": "times", "circ": "compose", "slash": r"\/", "~": "~", "in": "in", "to": "->"}
    signs |= {sign: sign for sign in ("=", "<", ">", "<=", ">=", "!=", "+", "-", ",", ";", ":", "^", "_", "'")}
    out = []
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.kind in ("name", "number"):
            out.append(math(Symbol(token.text, style=token.style)))
        elif token.kind in ("sign", "relation") and token.text in signs:
            out.append(signs[token.text])
        elif token.kind == "begin" and before is not None and before.text in ("^", "_"):
            out.append("(")
        elif token.kind == "end":
            out.append(")")
        else:
            return ""
    return f"${' '.join(out)}$"


def _segment(tokens: list[Token], kinds: Mapping[str, str]) -> str:
    """A part of an inline formula: a statement, an expression, a set, dots, a list in brackets."""
    first, last = tokens[0], tokens[-1]
    if first.kind == "set":
        found = statements.statements([Token("name", "x", 0), Token("relation", "in", 0), *tokens], kinds)
        return math(found[0]).partition(" in ")[2]
    if statements.has_relation(tokens):
        return ", ".join(math(node) for node in statements.statements(tokens, kinds))
    if first.kind == "open" and first.text in "([{" and closing(tokens, 0) == len(tokens) - 1 and last.text in ")]}":
        parts = list(statements.split(tokens[1:-1]))
        if len(parts) > 1:
            return f"{first.text}{', '.join(_segment(part, kinds) for part in parts)}{last.text}"
    found = grammar.expression(tokens, kinds)
    return "dots" if found == Dots() else math(found)


def _escaped(text: str, syntax: str) -> str:
    """Prose without formulas: emphasis is kept, all else stands for itself."""
    text = re.sub(r"\\([\\`*_{}\[\]()#+.!|$-])", r"\1", text)
    special = r"[\\#$*_`<>@\[\]~]|//|/\*|^[=+/-]|(?<=^\d)\.|(?<=^\d\d)\."
    out = re.sub(special, lambda m: "".join("\\" + c for c in m[0]), text)
    if syntax == "typst":
        out = re.sub(r"(?<!\w)\\\*(\S(?:.*?\S)?)\\\*(?!\w)", r"#strong[\1];", out)
    out = re.sub(r"\\\*\\\*(.+?)\\\*\\\*|\\_\\_(.+?)\\_\\_", lambda m: f"#strong[{m[1] or m[2]}];", out)
    out = re.sub(r"(?<!\w)\\([*_])(\S(?:.*?\S)?)\\\1(?!\w)", r"#emph[\2];", out)
    return re.sub(r"\\`(.+?)\\`", lambda m: "#raw(" + _quoted(re.sub(r"\\(.)", r"\1", m[1])) + ");", out)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _item(source: str, lang: str) -> str:
    """An item in one language. Its formulas stand in the English part alone, where the Chinese one has none."""
    own, english = in_language(source, lang), in_language(source, "en")
    if lang != "zh" or "$" not in english:
        return own
    pieces = re.split(r"(\$(?:\\.|[^$\\])+\$)", english)
    words, last = pieces[::2], pieces.pop()
    if own == english and not all(word.strip(" ,;.") in _CONNECTING for word in words):
        return own
    if own != english and "$" in own:
        return own
    joined = "".join(
        p if p.startswith("$") else _CONNECTING.get(p.strip(" ,;"), "，") if i else p for i, p in enumerate(pieces)
    )
    tail = own if own != english else last.strip(" ,;.")
    return f"{joined}，{tail}" if tail else joined


def _display(steps: list[Step], found: Document, lang: str, marks: Mapping[int, str]) -> str:
    reasons = [_reason(step, found, lang, marks) for step in steps]
    sides = [_sides(step.relation) for step in steps]
    beside = [
        f"{left} &{right}" + (f" && quad {reason}" if reason else "")
        for (left, right), reason in zip(sides, reasons, strict=True)
    ]
    ragged = [
        f"{left} &{right}" + (f" quad {reason}" if reason else "")
        for (left, right), reason in zip(sides, reasons, strict=True)
    ]
    below = [
        f"{left} &{right}" + (f" \\\n  & quad {reason}" if reason else "")
        for (left, right), reason in zip(sides, reasons, strict=True)
    ]
    apart = [
        (f"& {left} \\\n  " if left else "") + f"& quad {right}" + (f" \\\n  & wide {reason}" if reason else "")
        for (left, right), reason in zip(sides, reasons, strict=True)
    ]
    forms = list(dict.fromkeys("$ " + " \\\n  ".join(rows) + " $" for rows in (beside, ragged, below, apart)))
    return f"#fitting(rows: {len(steps)}, why => (\n" + "".join(f"[{form}],\n" for form in forms) + "))"


def _sides(node: Node) -> tuple[str, str]:
    """What stands before the first relation of a row, and the rest."""
    if isinstance(node, Relation):
        rest = Relation((None, *node.sides[1:]), node.signs)
        return (math(node.sides[0]) if node.sides[0] is not None else ""), math(rest)
    if isinstance(node, Distributed):
        return ", ".join(map(math, node.symbols)), f"~ {math(node.law)}"
    if isinstance(node, Belongs):
        left, _, right = math(node).partition(" in ")
        return left, f"in {right}"
    return "", math(node)


def _reason(step: Step, found: Document, lang: str, marks: Mapping[int, str]) -> str:
    text = _words(in_language(step.reason, lang), found)
    if marks.get(step.line) == "not checked":
        text = " ".join(filter(None, (text, {"en": "(not checked)", "zh": "（未核验）"}.get(lang, "(not checked)"))))
    return f"#why[{text}]" if text else ""


def _checked(marks: Mapping[int, str], lang: str) -> str:
    if not marks:
        return ""
    start, comma, stop, words = _CHECKED.get(lang, _CHECKED["en"])
    counts = Counter(marks.values())
    said = comma.join(words.get(status, "{} " + status).format(count) for status, count in counts.items())
    return f"#text(size: 0.85em, fill: luma(90))[{start}{said}{stop}]"

"""A displayed formula as rows: what is one relation although it is broken over lines, and the reasons at the lines'
ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from sojourn.derivations.notation.grammar import is_name
from sojourn.derivations.notation.statements import has_relation, split
from sojourn.derivations.notation.tokens import Misread, Token, words

_SEPARATING = ("quad", "align")
_JOINING = {
    "and",
    "so",
    "hence",
    "thus",
    "therefore",
    "whence",
    "i.e.",
    "i.e.,",
    "that is",
    "that is,",
    "且",
    "和",
    "故",
    "所以",
    "因此",
    "于是",
    "即",
}
_BEGINNING = words("since by because as for if when where using with from after let given provided note here")


@dataclass
class Row:
    """The tokens of one relation, or of several between commas, and the reason as text with $...$ in it."""

    tokens: list[Token] = field(default_factory=list)
    reason: str = ""


def rows(tokens: list[Token], text: str) -> list[Row]:
    """The rows of a displayed formula; a row in parts, with commas or arrows between them, is several.

    Raises:
        Misread: a row has no relation, and there is no row that it goes on from.
    """
    out: list[Row] = []
    for piece, stop in _pieces(tokens, text):
        row = _with_reason(piece, text, stop)
        if not row.tokens or all(t.kind == "dots" for t in row.tokens):
            if row.reason and out and not out[-1].reason:
                out[-1].reason = row.reason
            continue
        if out and _goes_on(out[-1].tokens, row.tokens):
            out[-1] = Row([*out[-1].tokens, *row.tokens], row.reason or out[-1].reason)
        else:
            out.append(row)
    return [part for row in out for part in _parts(row, text)]


def _pieces(tokens: list[Token], text: str) -> list[tuple[list[Token], int]]:
    """The tokens between line breaks that count, and where each piece ends in the text."""
    line = _line_numbers(text)
    breaks = any(t.kind == "row" for t in tokens)
    out: list[tuple[list[Token], int]] = []
    current: list[Token] = []
    depth = 0
    for index, token in enumerate(tokens):
        new_line = bool(current) and depth == 0 and line(token.at) != line(current[-1].at)
        if (token.kind == "row" and depth <= 0) or (new_line and _ends_here(current, tokens[index:], line, breaks)):
            out.append((current, token.at))
            current, depth = [], 0
        if token.kind != "row":
            current.append(token)
        depth += {"open": 1, "begin": 1, "close": -1, "end": -1}.get(token.kind, 0)
    out.append((current, len(text)))
    return [(piece, stop) for piece, stop in out if piece]


def _line_numbers(text: str) -> Callable[[int], int]:
    return lambda at: text.count("\n", 0, at)


def _ends_here(current: list[Token], following: list[Token], line: Callable[[int], int], breaks: bool) -> bool:
    """Whether a line break of the source ends a row although nothing says so."""
    if not has_relation(current):
        return False
    if _bare(following)[:1] and _bare(following)[0].kind in ("relation", "then"):
        return True
    rest = [t for t in following if line(t.at) == line(following[0].at)]
    return not breaks and _complete(current) and has_relation(rest) and not _is_sign(rest[0])


def _bare(tokens: list[Token]) -> list[Token]:
    """Without blanks and alignment before it."""
    start = next((i for i, t in enumerate(tokens) if t.kind not in _SEPARATING), len(tokens))
    return tokens[start:]


def _is_sign(token: Token) -> bool:
    return token.kind == "sign" and token.text in ("+", "-", "dot", "times", "slash")


def _complete(tokens: list[Token]) -> bool:
    last = next((t for t in reversed(tokens) if t.kind not in _SEPARATING), None)
    return (
        last is not None
        and not _is_sign(last)
        and last.kind not in ("relation", "big", "function", "nabla", "mean", "partial")
    )


def _goes_on(before: list[Token], after: list[Token]) -> bool:
    """Whether a row is the rest of the one before it."""
    if not _complete(before) or not has_relation(before):
        return True
    depth = sum({"open": 1, "begin": 1, "close": -1, "end": -1}.get(t.kind, 0) for t in before)
    return depth > 0 or (_is_sign(after[0]) and (after[0].text != "-" or not has_relation(after)))


def _with_reason(tokens: list[Token], text: str, stop: int) -> Row:
    """Formula and reason apart; words before the formula come to the reason."""
    tokens = _bare(tokens)
    lead = ""
    while tokens and tokens[0].kind == "word" and not (len(tokens) > 1 and tokens[1].kind in ("relation", "sign")):
        lead, tokens = " ".join(filter(None, (lead, tokens[0].text.strip()))), _bare(tokens[1:])
    start = _reason_start(tokens)
    formula = [t for t in tokens[:start] if t.kind != "align"]
    while formula and (
        formula[-1].kind in ("quad", "stop") or (formula[-1].kind == "sign" and formula[-1].text in (",", ";"))
    ):
        formula.pop()
    reason = _reason(tokens[start:], text, stop)
    lead = "" if lead.strip(" ,:").lower() in _JOINING | {"then", "where", "with", "let", "now"} else lead
    return Row(formula, ", ".join(filter(None, (lead.strip(" ,"), reason))))


def _reason_start(tokens: list[Token]) -> int:
    depth = 0
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else None
        depth += {"begin": 1, "end": -1, "open": 1, "close": -1}.get(token.kind, 0)
        after_blank = before is None or before.kind in _SEPARATING
        if token.kind == "word" and depth == 0:
            name = is_name(token.text) and token.text.strip().lower() not in _BEGINNING
            inside = before is not None and (before.kind in ("relation", "open", "begin") or before.kind == "sign")
            if _joins(token, tokens[index + 1 :]):
                continue
            if not (name and (inside or not after_blank)):
                return index
        elif (
            token.kind == "open"
            and after_blank
            and index
            and index + 1 < len(tokens)
            and tokens[index + 1].kind == "word"
        ):
            return index
        elif (
            token.kind == "align"
            and before is not None
            and before.kind == "align"
            and depth == 0
            and has_relation(tokens[:index])
        ):
            rest = tokens[index + 1 :]
            words = next((i for i, t in enumerate(rest) if t.kind == "word"), len(rest))
            if not has_relation(rest[:words]):
                return index + 1
    return len(tokens)


def _joins(token: Token, rest: list[Token]) -> bool:
    """Whether a word stands between two formulas, as in "a = b and c = d"."""
    words = next((i for i, t in enumerate(rest) if t.kind == "word"), len(rest))
    return token.text.strip().lower() in _JOINING and has_relation(rest[:words])


def _reason(tokens: list[Token], text: str, stop: int) -> str:
    out = ""
    index = 0
    while index < len(tokens):
        if tokens[index].kind == "word":
            out += tokens[index].text
            index += 1
            continue
        after = next((i for i in range(index, len(tokens)) if tokens[i].kind == "word"), len(tokens))
        raw = text[tokens[index].at : tokens[after].at if after < len(tokens) else stop]
        raw = re.sub(r"&|\\q?quad\b|\bquad\b|\\end\{[^}]*\}?", " ", raw)
        raw = re.sub(r"\s+", " ", raw).strip().rstrip("\\ ")
        closes = ")" if raw.endswith(")") and raw.count(")") > raw.count("(") else ""  # of a bracket round the reason
        raw = raw.removesuffix(closes).strip()
        out += (raw if re.fullmatch(r"[(),.;:\[\]\s\"]*", raw) else f" ${raw}$ ") + closes
        index = after
    out = re.sub(r"\s+", " ", out).strip()
    out = re.sub(r"\s+([,.;:)])", r"\1", out)
    return out[1:-1].strip() if re.fullmatch(r"\([^()]*\)", out) else out


def _parts(row: Row, text: str) -> list[Row]:
    openings: list[Token] = []
    for token in row.tokens:
        if token.kind == "open":
            openings.append(token)
        elif token.kind == "close" and openings:
            openings.pop()
    if openings:
        raise Misread(f'"{openings[-1].text}" is not closed', openings[-1].at, "close it, on this line or a later one")
    parts = list(split(row.tokens))
    out: list[Row] = []
    waiting: list[list[Token]] = []
    for part in parts:
        if has_relation(part):
            part, named = _named_after(part)
            if waiting:
                raise Misread("there is no relation", waiting[0][0].at, "a step needs one, such as = or <=")
            out += [Row(tokens) for tokens in (part, named) if has_relation(tokens)]
        elif out:
            end = (
                parts[parts.index(part) + 1][0].at
                if part is not parts[-1]
                else part[-1].at + max(len(part[-1].text), 1)
            )
            out[-1].reason = " ".join(filter(None, (out[-1].reason, f"${text[part[0].at : end].strip()}$")))
        else:
            waiting.append(part)
    if waiting:
        raise Misread("there is no relation", waiting[0][0].at, "a step needs one, such as = or <=")
    if out and row.reason:
        out[-1].reason = ", ".join(filter(None, (out[-1].reason, row.reason)))
    return out


def _named_after(part: list[Token]) -> tuple[list[Token], list[Token]]:
    """a = b =: c as a = b and c := b."""
    depth, last = 0, 0
    for index, token in enumerate(part):
        depth += {"open": 1, "begin": 1, "close": -1, "end": -1}.get(token.kind, 0)
        if depth == 0 and token.kind == "relation" and token.text == "defines":
            name = part[index + 1 :]
            return part[:index], [*name, Token("relation", "define", token.at), *part[last:index]]
        if depth == 0 and token.kind == "relation":
            last = index + 1
    return part, []

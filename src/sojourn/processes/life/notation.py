"""Reading the text of a rule: names, halves with and without letters, base64 tables."""

import base64
import difflib
import re

import numpy as np

from sojourn.errors import InputError
from sojourn.processes.life.hensel import CENTRE_OF, CLASS_OF, WEIGHTS, Mark, read_conditions

NAMES = {
    "Life": "B3/S23", "Conway": "B3/S23", "Conway's Life": "B3/S23", "Game of Life": "B3/S23",
    "HighLife": "B36/S23", "Day & Night": "B3678/S34678", "Seeds": "B2/S",
    "Life without Death": "B3/S012345678", "Diamoeba": "B35678/S5678", "2x2": "B36/S125",
    "Morley": "B368/S245", "Replicator": "B1357/S1357",
    "Fredkin": "B1357/S02468", "Anneal": "B4678/S35678", "Vote": "B5678/S45678", "Live Free or Die": "B2/S0",
    "Maze": "B3/S12345", "Mazectric": "B3/S1234", "34 Life": "B34/S34", "Pedestrian Life": "B38/S23",
    "DryLife": "B37/S23", "EightLife": "B3/S238", "HoneyLife": "B38/S238", "Coral": "B3/S45678",
    "Long Life": "B345/S5", "Gnarl": "B1/S1", "Stains": "B3678/S235678", "Walled Cities": "B45678/S2345",
    "Serviettes": "B234/S", "tlife": "B3/S2-i34q", "Just Friends": "B2-a/S12",
}  # fmt: skip
"""Common names of two-state rules (Golly's QuickLife help; the rule tables of conwaylife.com)."""

GENERATIONS_NAMES = {
    "Brian's Brain": "/2/3", "Star Wars": "345/2/4", "Banners": "2367/3457/5", "Bloomerang": "234/34678/24",
    "Caterpillars": "124567/378/4", "Cooties": "23/2/8", "Fireworks": "2/13/21", "Frogs": "12/34/3",
    "Lava": "12345/45678/8", "Lines": "012345/458/3", "Sticks": "3456/2/6", "Transers": "345/26/5",
    "Xtasy": "1456/2356/16",
}  # fmt: skip
"""Common names of Generations rules (Golly's Generations help)."""


def read_name(text: str, names: dict[str, str]) -> str:
    """The notation behind a name, or the text itself (stripped) when it looks like a notation."""

    def plain(name: str) -> str:
        return re.sub(r"[^a-z0-9]", "", name.lower().replace("&", "and"))

    known = {plain(name): notation for name, notation in names.items()}
    if plain(text) in known:
        return known[plain(text)]
    if not text.strip():
        raise InputError('the rule is empty; write one such as "B3/S23"')
    notation = re.match(r"\s*([0-9bs/_].*[0-9/]|map|[0-9/:])", text.lower())
    if not notation:
        close = difflib.get_close_matches(plain(text), known, n=1)
        hint = next((f' Did you mean "{name}"?' for name in names if close and plain(name) == close[0]), "")
        raise InputError(f'rule "{text}" is neither a notation such as "B3/S23" nor a known name.{hint}')
    return text.strip()


def split_parts(text: str) -> list[tuple[str, list[Mark]]]:
    """Cut a rule at slashes, underscores and the letters B and S: (label "b", "s" or "", characters)."""
    parts: list[tuple[str, list[Mark]]] = [("", [])]
    for place, character in enumerate(text.lower(), start=1):
        if character in "/_":
            parts.append(("", []))
        elif character in "bs":
            if any(label == character for label, _ in parts):
                raise InputError(f'rule "{text}": a second {character.upper()} at position {place}; write each once')
            if parts[-1] != ("", []):
                parts.append(("", []))
            parts[-1] = (character, [])
        elif not character.isspace():
            parts[-1][1].append(Mark(character, place))
    return parts


def read_table(parts: list[tuple[str, list[Mark]]], text: str) -> np.ndarray:
    """The 512 outcomes of one or two parts, with the neighbourhood that a final V or H asks for."""
    last = parts[-1][1][-1:]
    kept = np.arange(512)
    if last and last[0].character in IGNORED:
        parts[-1][1].pop()
        ignored = IGNORED[last[0].character].split()
        for mark in (mark for _, marks in parts for mark in marks):
            if mark.character not in "012345678"[: 9 - len(ignored)]:
                raise InputError(
                    f'rule "{text}": {mark.character} at position {mark.place} is not a count of the '
                    f"{8 - len(ignored)} neighbours of {last[0].character.upper()} rules"
                )
        kept = kept & ~sum(WEIGHTS[name] for name in ignored)
    halves = _halves(parts, text)
    birth, survival = (read_conditions(halves[label], text) for label in "bs")
    return isotropic_table(birth, survival)[kept]


IGNORED = {"v": "NW NE SW SE", "h": "NE SW"}
"""The neighbours that do not count in von Neumann (V) and hexagonal (H) rules."""


def _halves(parts: list[tuple[str, list[Mark]]], text: str) -> dict[str, list[Mark]]:
    """Which part is birth ("b"), which survival ("s"); survival comes first when neither is labelled."""
    if len(parts) == 1 and parts[0][0] == "":
        raise InputError(
            f'rule "{text}" has no slash, B or S, so birth and survival cannot be told apart; write B3/S23'
        )
    (first, marks), (second, more) = (*parts, ("", []))[:2]
    other = {"b": "s", "s": "b"}
    first = first or other.get(second, "s")
    return {first: marks, other[first]: more}


def isotropic_table(birth: np.ndarray, survival: np.ndarray) -> np.ndarray:
    """The 512 outcomes of a choice among the 51 classes for birth and one for survival."""
    return np.where(CENTRE_OF == 1, survival[CLASS_OF], birth[CLASS_OF])


def read_map(text: str, rule: str) -> np.ndarray:
    """The 512 outcomes of the base64 text of a MAP rule: Moore (512 bits) or von Neumann (32 bits)."""
    digits = text.strip().rstrip("=")
    wrong = re.search(r"[^A-Za-z0-9+/]", digits)
    if wrong:
        raise InputError(f'rule "{rule}": {wrong[0]!r} at position {wrong.start() + 4} is not a base64 character')
    if len(digits) == 22:
        raise InputError(
            f'rule "{rule}" is a hexagonal MAP (22 characters), whose bit order differs between programs; '
            "write the 86 characters of the table of 512"
        )
    if len(digits) not in (6, 86):
        raise InputError(f'rule "{rule}" has {len(digits)} base64 characters after MAP; a table of 512 takes 86')
    bits = np.unpackbits(np.frombuffer(base64.b64decode(digits + "=="), dtype=np.uint8))
    if len(digits) == 86:
        return bits[:512]
    cells = [WEIGHTS[name] for name in ("N", "W", "C", "E", "S")]
    return bits[sum((np.arange(512) & weight > 0) << (4 - place) for place, weight in enumerate(cells))]

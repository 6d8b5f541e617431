"""The experiment on a table made here, small: what it keeps, says and refuses."""

import hashlib
import json

import numpy as np
import pytest

from sojourn.data import uci
from sojourn.errors import InputError
from sojourn.experiments.ssm_uci import PUBLISHED, SsmUci
from sojourn.runs import Run

SMALL = {"data": ("redwine",), "objectives": ("sliced_reduced", "curvature_propagation"), "seeds": 2, "steps": 2}


@pytest.fixture
def table(tmp_path, monkeypatch):
    """400 rows of 3 columns that are not normal, and a quality."""
    generator = np.random.default_rng(0)
    rows = np.round(generator.gamma(2.0, size=(400, 4)), 2)
    text = "a,b,c,quality\n" + "\n".join(",".join(map(str, row)) for row in rows) + "\n"
    (tmp_path / "data" / "uci").mkdir(parents=True)
    (tmp_path / "data" / "uci" / "winequality-red.csv").write_text(text)
    monkeypatch.setenv("SOJOURN_DATA", str(tmp_path / "data"))
    md5 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    monkeypatch.setitem(uci._FILES, "redwine", uci._FILES["redwine"]._replace(md5=md5))


def test_fits_are_kept_and_compared(table, tmp_path):
    experiment = SsmUci(**SMALL)
    run = Run.create("ssm-uci", experiment.settings(), tmp_path / "run")
    story = "\n".join(experiment.run(run))
    assert "SSM-VR" in story
    assert "-30.8" in story  # published
    fits = sorted((tmp_path / "run" / "fits").glob("*.json"))
    assert [path.stem for path in fits] == [
        f"redwine-{o}-{k:02d}" for o in ("curvature_propagation", "sliced_reduced") for k in (0, 1)
    ]
    assert (tmp_path / "run" / "figures" / "losses.png").stat().st_size > 10_000
    first = json.loads(fits[0].read_text())
    fits[0].unlink()
    experiment.run(run)
    assert json.loads(fits[0].read_text()) == first  # the same seed, the same fit


def test_wrong_settings_are_refused(table):
    with pytest.raises(InputError, match=r"objectives=\['mle'\] is not known; choose from exact, sliced_reduced"):
        SsmUci(**{**SMALL, "objectives": ("mle",)})
    with pytest.raises(InputError, match="seeds=1 is below 2"):
        SsmUci(**{**SMALL, "seeds": 1})
    with pytest.raises(InputError, match=r"has no parkinsons_updrs\.data; put it there"):
        SsmUci(**{**SMALL, "data": ("parkinsons",)})
    assert all(low < value < high for row in PUBLISHED.values() for value, low, high in row.values() if low is not None)

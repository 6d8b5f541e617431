"""Tables of UCI: refusals without the files, and the published shapes where they are."""

import pytest
import torch

from sojourn.data import uci
from sojourn.errors import InputError


def test_missing_and_changed_files_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SOJOURN_DATA", str(tmp_path))
    with pytest.raises(InputError, match=r"has no winequality-red.csv; put it there .*archive\.ics\.uci\.edu"):
        uci.load_table("redwine")
    (tmp_path / "uci").mkdir()
    (tmp_path / "uci" / "winequality-red.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"has md5 .*, not 018032169ce7925061ed2afd1d831dfe: another file"):
        uci.load_table("redwine")
    with pytest.raises(InputError, match="name='beer' is not known; choose one of: parkinsons, redwine, whitewine"):
        uci.load_table("beer")


@pytest.mark.parametrize(
    ("name", "shape"), [("parkinsons", (5875, 15)), ("redwine", (1599, 11)), ("whitewine", (4898, 11))]
)
def test_tables_have_the_published_shapes_and_are_whitened(name, shape):
    try:
        assert uci.load_table(name).shape == shape
    except InputError:
        pytest.skip(f"{name} is not in the data folder")
    parts = uci.prepare(name, seed=3, noise=0.0)
    held = min(1000, shape[0] // 10)
    assert (len(parts.test), len(parts.validation), len(parts.train)) == (held, held, shape[0] - 2 * held)
    assert torch.allclose(torch.cov(parts.train.T, correction=0), torch.eye(shape[1], dtype=torch.float64), atol=1e-8)
    assert torch.equal(uci.prepare(name, seed=3).test, uci.prepare(name, seed=3).test)
    assert not torch.equal(uci.prepare(name, seed=3).test, uci.prepare(name, seed=4).test)

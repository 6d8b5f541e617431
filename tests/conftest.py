"""Shared by all tests: no test may depend on the machine's thread count or write outside its own folder."""

import pytest


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

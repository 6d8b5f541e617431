"""Shared by all tests: no test may depend on the machine's thread count or write outside its own folder."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def _own_cache(request):
    """Kernels made by tests are kept with the tests' own cache, not with the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOJOURN_CACHE", str(request.config.cache.mkdir("kernels")))
        yield


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

"""VRMSE and spectra: closed forms, Parseval, and refusals; The Well's own metric is compared in the parity tests."""

import numpy as np
import pytest
import xarray as xr

import sojourn as sj


def frames(u, x=None):
    """A dataset of one field (ensemble, time, y, x)."""
    coords = {"time": np.arange(u.shape[1]) * 1.0}
    if x is not None:
        coords |= {"x": x, "y": x}
    return xr.Dataset({"u": (("ensemble", "time", "y", "x"), u)}, coords)


def test_vrmse_closed_forms():
    noise = np.random.default_rng(0)
    truth = noise.normal(size=(3, 4, 16, 20))
    mean = truth.mean((2, 3), keepdims=True)
    variance = truth.var((2, 3), ddof=1)
    found = sj.vrmse(frames(truth), frames(np.broadcast_to(mean, truth.shape)))["u"]
    assert found.dims == ("ensemble", "time")
    share = truth.var((2, 3)) / (variance + 1e-7)  # the mean as a guess is worth 1, but for n/(n - 1)
    np.testing.assert_allclose(found, np.sqrt(share), rtol=1e-12)
    shifted = sj.vrmse(frames(truth), frames(truth + 0.3))["u"]
    np.testing.assert_allclose(shifted, 0.3 / np.sqrt(variance + 1e-7), rtol=1e-12)
    flat = np.ones((1, 1, 4, 4))
    np.testing.assert_allclose(sj.vrmse(frames(flat), frames(flat + 1e-3))["u"], 1e-3 / np.sqrt(1e-7), rtol=1e-12)


def test_the_spectrum_adds_up_and_finds_a_wave():
    noise = np.random.default_rng(1)
    x = (np.arange(32) / 32 - 0.5) * 4.0  # a domain of length 4
    u = noise.normal(size=(2, 3, 32, 32))
    energy = sj.energy_spectrum(frames(u, x))["u"]
    np.testing.assert_allclose(energy.sum("wavenumber"), (u**2).mean((2, 3)), rtol=1e-12)
    np.testing.assert_allclose(energy.isel(wavenumber=0), u.mean((2, 3)) ** 2, rtol=1e-12)
    wave = 0.5 + 2 * np.cos(2 * np.pi * (3 * x[:, None] + 4 * x[None, :]) / 4.0)  # |k| = 5 . 2 pi / 4
    energy = sj.energy_spectrum(frames(np.broadcast_to(wave, (1, 1, 32, 32)), x))["u"][0, 0]
    assert float(energy.sel(wavenumber=5 * 2 * np.pi / 4, method="nearest")) == pytest.approx(2.0)  # a^2/2
    assert float(energy.sum()) == pytest.approx(2.25)


def test_what_cannot_be_compared_is_refused():
    a = frames(np.zeros((1, 2, 4, 4)))
    for b, message in [
        (frames(np.zeros((1, 2, 4, 5))), "sizes .* differ; compare trajectories of one shape"),
        (frames(np.zeros((1, 2, 4, 4))).rename(u="v"), r"fields \['u'\] and \['v'\] cannot be compared"),
        (a.assign_coords(time=[0.0, 2.0]), "saved at different times"),
    ]:
        with pytest.raises(sj.InputError, match=message):
            sj.vrmse(a, b)
    with pytest.raises(sj.InputError, match="frames are a Trajectory or an xarray Dataset with the axis time, not int"):
        sj.vrmse(a, 3)
    with pytest.raises(sj.InputError, match=r"dims=\('z',\): there is no axis 'z'"):
        sj.vrmse(a, a, dims=("z",))

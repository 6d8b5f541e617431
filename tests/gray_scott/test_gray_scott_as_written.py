"""The calls that the README promises of Gray-Scott, as written."""

import h5py
import numpy as np

import sojourn as sj


def test_as_written(tmp_path):
    maze = sj.GrayScott.preset("maze", shape=(256, 256))
    run = sj.simulate(maze, steps=20_000, save_every=500, ensemble=4, seed=1, out="maze.zarr")
    assert run.dataset.sizes == {"ensemble": 4, "time": 41, "y": 256, "x": 256}
    v = run.dataset["v"].isel(time=-1)
    assert (v.std(("y", "x")) > 0.05).all()  # a pattern
    assert ((v > 0.2).mean(("y", "x")) > 0.2).all()  # that fills the square
    sj.formats.the_well.write(run, "data/")  # passes The Well's own checker
    (written,) = (tmp_path / "data").rglob("*.hdf5")
    with h5py.File(written) as file:
        assert file.attrs["dataset_name"] == "gray_scott_reaction_diffusion"
        assert file["t0_fields"]["B"].shape == (4, 41, 256, 256)
    other = sj.formats.the_well.read(written)
    error = sj.vrmse(run, other, dims=("y", "x"))  # per time and field
    assert error["v"].dims == ("ensemble", "time")
    np.testing.assert_array_equal(error["u"], 0)

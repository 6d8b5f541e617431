"""The Well's HDF5 files: the published layout field by field, exact round trips, its own reader, and bad input."""

import h5py
import numpy as np
import pytest
import xarray as xr

from sojourn import GrayScott, InputError, Life, Trajectory, simulate
from sojourn.formats import the_well
from sojourn.formats.the_well_statistics import write_statistics


def small(shape=(8, 12), *, members=3, steps=6, every=2, **parameters):
    given = {"feed_rate": 0.029, "kill_rate": 0.057, "shape": shape, "scheme": "etdrk4"}
    process = GrayScott(**(given | {"extent": tuple(n / 8 for n in shape)} | parameters))
    return simulate(process, steps=steps, save_every=every, ensemble=members, seed=7, progress=False)


def as_stored(dataset):
    """The fields as they are; the axes through float32, which is the format's."""
    axes = dataset.coords.items()
    return dataset.assign_coords({name: axis.astype("float32").astype("float64") for name, axis in axes})


def assert_laid_out(path):
    """The rules of The Well's format page, on every group, data set and attribute of a file."""
    with h5py.File(path) as file:
        head = dict(file.attrs)
        assert isinstance(head["dataset_name"], str)
        assert head["grid_type"] == "cartesian"
        names = list(file["dimensions"].attrs["spatial_dims"])
        assert names == ["x", "y", "z"][: head["n_spatial_dims"]]
        assert set(file) == {"dimensions", "boundary_conditions", "scalars", "t0_fields", "t1_fields", "t2_fields"}
        sizes = {name: len(file["dimensions"][name]) for name in ("time", *names)}
        everything = [file["dimensions"][name] for name in sizes]
        for group in ("scalars", "t0_fields", "t1_fields", "t2_fields"):
            fields = file[group].attrs["field_names"]
            assert list(fields) == list(file[group])
            assert fields.dtype == object
            everything += [file[group][name] for name in fields]
        for name in head["simulation_parameters"]:
            assert np.float32(head[name]) == file["scalars"][name][()]
        for place in everything:
            shape = (head["n_trajectories"],) * int(place.attrs["sample_varying"])
            shape += (sizes["time"],) * int(place.attrs["time_varying"])
            if place.parent.name == "/dimensions" and place.name != "/dimensions/time":
                shape += place.shape
            if "dim_varying" in place.attrs:
                shape += tuple(sizes[n] for n, varies in zip(names, place.attrs["dim_varying"], strict=True) if varies)
            assert place.shape == shape
            assert place.dtype == np.float32
        for condition in file["boundary_conditions"].values():
            (along,) = condition.attrs["associated_dims"]
            assert condition.name == f"/boundary_conditions/{along}_{condition.attrs['bc_type'].lower()}"
            assert condition.attrs["bc_type"] in ("WALL", "OPEN", "PERIODIC")
            assert len(condition.attrs["associated_fields"]) == 0
            assert not condition.attrs["sample_varying"]
            assert not condition.attrs["time_varying"]
            assert condition["mask"].shape == (sizes[along],)
            assert condition["mask"].dtype == bool
            assert condition["mask"][0]
            assert condition["mask"][-1]
        assert len(file["boundary_conditions"]) == len(names)


@pytest.mark.parametrize("boundary", ["periodic", "neumann"])
@pytest.mark.parametrize("shape", [(12,), (8, 12), (6, 8, 10)])
def test_a_file_has_the_published_layout_and_reads_back_the_same(tmp_path, shape, boundary):
    run = small(shape, boundary=boundary)
    path = the_well.write(run, tmp_path, split="valid")
    assert path == tmp_path / "data/valid/gray_scott_reaction_diffusion_maze_F_0.029_k_0.057.hdf5"
    assert_laid_out(path)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    with h5py.File(path) as file:
        assert {c.attrs["bc_type"] for c in file["boundary_conditions"].values()} == {
            {"periodic": "PERIODIC", "neumann": "WALL"}[boundary]
        }
        there = file["t0_fields/A"][1, 2]
        assert np.array_equal(there, run.dataset["u"].values[1, 2].transpose())
    xr.testing.assert_identical(the_well.read(path).dataset, as_stored(run.dataset))
    for name, value in the_well.read(path).state().items():
        assert np.array_equal(value, run.state()[name])


def test_a_store_is_copied_block_by_block(tmp_path, monkeypatch):
    monkeypatch.setattr(the_well, "_BLOCK_BYTES", 4 * 8 * 12 * 5)  # five frames: cuts the members and the frames
    process = GrayScott(0.03, 0.062, shape=(8, 12), extent=(2.0, 3.0), scheme="etdrk4")
    options = {"steps": 8, "save_every": 2, "ensemble": 7, "progress": False}
    store = simulate(process, out=tmp_path / "run.zarr", **options)
    path = the_well.write(store, tmp_path)
    assert "_spots_F_0.03_k_0.062" in path.name
    xr.testing.assert_identical(the_well.read(path).dataset, as_stored(store.dataset))
    blocks = list(the_well.blocks((7, 5, 12, 8)))
    assert len(blocks) == 10
    covered = np.zeros((7, 5), int)
    for members, times in blocks:
        covered[members, times] += 1
    assert (covered == 1).all()


def test_frames_are_read_where_they_are_used(tmp_path):
    run = small((6, 8, 10))
    field = the_well.read(the_well.write(run, tmp_path)).dataset["v"]
    assert not field.variable._in_memory
    true = run.dataset["v"].values
    for chosen in (
        (0, -1),
        (slice(None), 2),
        (slice(2, None, -1), slice(None), 3),
        ([2, 0], slice(1, 3), slice(None), [5, 1], slice(None, None, 2)),
        (1, 2, 3, 4, 5),
        (1, 2, slice(5, 1, -2), 4, slice(1, 7)),
    ):
        index = dict(zip(field.dims, chosen, strict=False))
        expected = xr.DataArray(true, dims=field.dims).isel(index)
        assert np.array_equal(field.isel(index), expected)


def test_a_name_may_be_given_and_other_rates_are_custom(tmp_path):
    assert "_custom_F_0.05_k_0.06." in the_well.write(small(feed_rate=0.05, kill_rate=0.06), tmp_path).name
    assert "_mine_F_0.029_k_0.057." in the_well.write(small(), tmp_path, pattern="mine").name


def test_a_published_file_says_its_parameters_and_other_data_sets_keep_their_names(tmp_path):
    path = the_well.write(small(), tmp_path)
    with h5py.File(path, "a") as file:
        del file.attrs["sojourn"]
    attributes = the_well.read(path).dataset.attrs
    assert attributes["process"] == "GrayScott"
    assert attributes["parameters"]["feed_rate"] == 0.029
    assert attributes["parameters"]["diffusivity_u"] == 2e-5
    with h5py.File(path, "a") as file:
        file.attrs["dataset_name"] = "another"
        file["t0_fields"].attrs["field_names"] = ["A", "B", "depth"]
        depth = file["t0_fields"].create_dataset("depth", data=np.arange(12, dtype=np.float32))
        depth.attrs.update({"sample_varying": False, "time_varying": False, "dim_varying": [True, False]})
    other = the_well.read(path).dataset
    assert set(other.data_vars) == {"A", "B", "depth"}
    assert other["depth"].dims == ("x",)
    assert np.array_equal(other["depth"], np.arange(12))
    assert other.attrs["process"] == "another"
    assert other.attrs["parameters"] == {"F": 0.029, "k": 0.057}


def broken(run, **changes):
    return Trajectory(run.dataset.assign_attrs(parameters={**run.dataset.attrs["parameters"], **changes}))


def test_what_the_format_cannot_hold_is_refused_by_name(tmp_path):
    run = small()
    life = simulate(Life("B3/S23", (8, 8)), steps=2, progress=False)
    uneven = small(steps=5, every=2)
    empty = Trajectory(run.dataset.isel(time=slice(0, 0)))
    nowhere = Trajectory(run.dataset.drop_vars("x"))
    for given, options, message in (
        (life, {}, "a trajectory of Life does not fit .* give one of GrayScott"),
        (
            broken(run, feed_rate={"shape": [8, 12]}),
            {},
            "feed_rate varies in space, .* keep this trajectory as its Zarr",
        ),
        (
            broken(run, boundary="dirichlet"),
            {},
            "boundary='dirichlet' is none that .* boundary='periodic' or 'neumann'",
        ),
        (uneven, {}, "frames are 1 to 2 apart in time, .* steps a multiple of save_every"),
        (empty, {}, "no frames yet; simulate first"),
        (nowhere, {}, "no positions x; add them with dataset.assign_coords"),
        (run, {"split": "training"}, "split='training' is not known to The Well; choose one of: train, valid, test"),
        (run, {"pattern": "../maze"}, "pattern='../maze' cannot be part of a file name"),
    ):
        with pytest.raises(InputError, match=message):
            the_well.write(given, tmp_path / "out", **options)
    assert not list(tmp_path.rglob("*.hdf5*"))


def test_a_failed_write_leaves_nothing_behind_and_the_old_file_in_place(tmp_path, monkeypatch):
    path = the_well.write(small(), tmp_path)
    before = path.read_bytes()

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(the_well, "_copy_frames", fail)
    with pytest.raises(KeyboardInterrupt):
        the_well.write(small(), tmp_path)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == before
    monkeypatch.undo()
    path.with_name(f".{path.name}.partial").write_bytes(b"what a kill left")
    the_well.write(small(), tmp_path)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_files_that_are_not_the_wells_are_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"there is no file .*none\.hdf5; give one of The Well's, such as data/train/"):
        the_well.read(tmp_path / "none.hdf5")
    (tmp_path / "text.hdf5").write_text("not HDF5")
    with pytest.raises(InputError, match=r"text\.hdf5 cannot be read as HDF5 .* give one of The Well's"):
        the_well.read(tmp_path / "text.hdf5")
    with h5py.File(tmp_path / "bare.hdf5", "w") as file:
        file.create_group("dimensions")
    with pytest.raises(InputError, match=r"bare\.hdf5 .* no group 'boundary_conditions', no group 'scalars', no group"):
        the_well.read(tmp_path / "bare.hdf5")
    path = the_well.write(small(), tmp_path)
    with h5py.File(path, "a") as file:
        del file["dimensions/x"]
        del file["t0_fields/B"]
    with pytest.raises(InputError, match="has no data set 'dimensions/x', no data set 't0_fields/B'; give"):
        the_well.read(path)


def test_statistics_are_those_of_all_training_values(tmp_path, monkeypatch):
    monkeypatch.setattr(the_well, "_BLOCK_BYTES", 4 * 8 * 12 * 2)
    runs = [small(), small(feed_rate=0.03, kill_rate=0.062, members=2)]
    for run in runs:
        the_well.write(run, tmp_path)
    the_well.write(small(feed_rate=0.05), tmp_path, split="test")
    found = write_statistics(tmp_path)
    for own, field in the_well.FIELDS.items():
        arrays = [run.dataset[own].values.astype(float) for run in runs]
        values = np.concatenate([a.ravel() for a in arrays])
        changes = np.concatenate([np.diff(a, axis=1).ravel() for a in arrays])
        for ending, these in (("", values), ("_delta", changes)):
            expected = {"mean": these.mean(), "std": these.std(), "rms": np.sqrt(np.mean(these**2))}
            for name, value in expected.items():
                assert found[name + ending][field] == pytest.approx(value, rel=1e-10)
    text = (tmp_path / "stats.yaml").read_text()
    assert text.startswith(f"mean:\n  A: {found['mean']['A']:.6E}\n  B: {found['mean']['B']:.6E}\nstd:\n")
    with pytest.raises(InputError, match=r"train holds no \.hdf5 files; write the training split first"):
        write_statistics(tmp_path / "data")


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("boundary", ["periodic", "neumann"])
@pytest.mark.parametrize("shape", [(12,), (8, 12), (6, 8, 10)])
def test_the_wells_own_reader_reads_what_is_written(tmp_path, shape, boundary):
    data = pytest.importorskip("the_well.data")
    runs = [small(shape, boundary=boundary), small(shape, boundary=boundary, feed_rate=0.03, kill_rate=0.062)]
    for run in runs:
        the_well.write(run, tmp_path, split="test")
        the_well.write(run, tmp_path, split="train")
    found = data.WellDataset(path=str(tmp_path), well_split_name="test", n_steps_input=2, n_steps_output=1)
    assert found.metadata.dataset_name == "gray_scott_reaction_diffusion"
    assert found.metadata.spatial_resolution == shape[::-1]
    assert found.metadata.field_names[0] == ["A", "B"]
    assert found.metadata.constant_scalar_names == ["F", "k"]
    assert len(found) == 2 * 3 * 2  # files, trajectories, windows
    for place, run in ((0, runs[0]), (6, runs[1])):
        for member in range(3):
            sample = found[place + 2 * member]
            true = np.stack([run.dataset[name].values[member, :3].swapaxes(1, -1) for name in "uv"], axis=-1)
            assert np.array_equal(sample["input_fields"], true[:2])
            assert np.array_equal(sample["output_fields"], true[2:])
            rates = [run.dataset.attrs["parameters"][name] for name in ("feed_rate", "kill_rate")]
            assert np.array_equal(sample["constant_scalars"], np.float32(rates))
            assert np.all(sample["boundary_conditions"].numpy() == {"periodic": 2, "neumann": 0}[boundary])
            corner = [run.dataset[name].values[0] for name in ("x", "y", "z")[: len(shape)]]
            assert np.array_equal(sample["space_grid"].reshape(-1, len(shape))[0], np.float32(corner))
            assert np.array_equal(sample["input_time_grid"], [0.0, 2.0])
    found = write_statistics(tmp_path)
    kind = pytest.importorskip("the_well.data.normalization").ZScoreNormalization
    options = {"path": str(tmp_path), "well_split_name": "train", "n_steps_input": 4, "n_steps_output": 0}
    scaled = data.WellDataset(**options, use_normalization=True, normalization_type=kind)[1]["input_fields"].numpy()
    for channel, (own, field) in enumerate(the_well.FIELDS.items()):
        true = (runs[0].dataset[own].values[1].swapaxes(1, -1) - found["mean"][field]) / found["std"][field]
        assert np.allclose(scaled[..., channel], true, atol=1e-4)

"""Images, batches, digits, files: exact maps, each epoch all data once, and what a wrong file is told."""

import gzip
import hashlib
import os
import struct

import numpy as np
import pytest
import torch
from PIL import Image

from sojourn import InputError, data
from sojourn.data import idx


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_levels_and_numbers_are_one_to_one(levels):
    k = torch.arange(levels)
    x = data.from_levels(k, levels)
    assert x[0] == -1
    assert x[-1] == 1
    assert torch.equal(data.to_levels(x, levels), k)
    assert torch.equal(data.to_levels(x + 0.9 / (levels - 1), levels), k)  # just below half a level more
    data.check_images(x, levels)


@pytest.mark.parametrize(
    ("x", "levels", "message"),
    [
        (torch.tensor([0.0, 1.5]), None, r"images hold 1.5 at \[1\], outside \[-1, 1\]; rescale them"),
        (torch.tensor([[0.0], [torch.nan]]), None, r"images hold nan at \[1, 0\]; remove or mend"),
        (torch.tensor([-1.0, torch.inf]), 2, r"images hold inf at \[1\]"),
        (torch.arange(256) / 255, 256, r"images hold 0 at \[0\], which is none of the 256 grey levels"),
        (torch.zeros(3, dtype=torch.uint8), None, r"images are a tensor of torch.uint8; give floating-point"),
        (np.zeros(3), None, r"images are ndarray; give floating-point"),
        (torch.zeros(0, 1, 8, 8), 17, r"shape \(0, 1, 8, 8\) hold no values"),
        (torch.zeros(1), 1, r"levels=1 is below 2"),
    ],
)
def test_images_that_are_refused(x, levels, message):
    with pytest.raises(InputError, match=message):
        data.check_images(x, levels)


@pytest.mark.parametrize(("n", "batch"), [(10, 3), (7, 7), (5, 12), (1, 4), (128, 1)])
def test_every_epoch_sees_each_index_once(n, batch):
    steps = -(-6 * n // batch)
    sequence = torch.cat([data.batch_indices(n, batch, step=k, seed=4) for k in range(steps)])[: 6 * n]
    epochs = sequence.reshape(6, n)
    assert torch.equal(epochs.sort(dim=1).values, torch.arange(n).expand(6, n))
    if n > 4:
        assert len({tuple(epoch.tolist()) for epoch in epochs}) == 6
    again = data.batch_indices(n, batch, step=steps // 2, seed=4)  # alone as among all
    assert torch.equal(again[: 6 * n - batch * (steps // 2)], sequence[batch * (steps // 2) :][:batch])


def test_permutations_are_uniform():
    # all six orders of three in 1200 epochs: chi-square with 5 degrees exceeds 42 with probability 6e-8
    order = data.batch_indices(3, 3 * 1200, step=0, seed=9).reshape(-1, 3)
    counts = torch.bincount((order * torch.tensor([9, 3, 1])).sum(1), minlength=27).double()
    counts = counts[counts > 0]
    assert len(counts) == 6
    assert float(((counts - 200) ** 2 / 200).sum()) < 42


def test_batches_that_are_refused():
    for wrong, message in (((0, 1, 0), "n=0 is below 1"), ((3, 0, 0), "batch=0"), ((3, 1, -1), "step=-1 is below 0")):
        with pytest.raises(InputError, match=message):
            data.batch_indices(*wrong[:2], step=wrong[2], seed=0)


def test_digits_are_scikit_learns_split_once_and_for_all():
    train, test, everything = (data.load_digits(split) for split in ("train", "test", "all"))
    assert (len(train), len(test)) == (1500, 297)
    assert torch.equal(torch.cat([train.x, test.x]), everything.x)
    data.check_images(everything.x, 17)
    from sklearn.datasets import load_digits

    images, classes = load_digits(return_X_y=True)
    ours = torch.cat([data.to_levels(everything.x, 17).reshape(-1, 64), everything.labels[:, None]], dim=1).numpy()
    theirs = np.concatenate([images, classes[:, None]], axis=1).astype(int)
    assert sorted(map(tuple, ours.tolist())) == sorted(map(tuple, theirs.tolist()))
    split = hashlib.sha256(data.to_levels(test.x, 17).to(torch.uint8).numpy().tobytes()).hexdigest()
    assert split.startswith("5f0d62761af5976")  # the split never changes, or old results could not be compared
    with pytest.raises(InputError, match="split='valid' is not known; choose one of: train, test, all"):
        data.load_digits("valid")


def write_idx(path, array, *, cut=0):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    whole = (header + array.tobytes())[: None if not cut else -cut]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(whole, 1) if path.suffix == ".gz" else whole)


@pytest.fixture
def fashion(tmp_path, monkeypatch):
    """Files with the names and sizes of Fashion-MNIST's test part, of our own making."""
    monkeypatch.setenv("SOJOURN_DATA", str(tmp_path))
    images = (np.arange(10000 * 784) % 251).astype(np.uint8).reshape(10000, 28, 28)
    labels = (np.arange(10000) % 10).astype(np.uint8)
    folder = tmp_path / "fashion-mnist"
    write_idx(folder / "t10k-images-idx3-ubyte.gz", images)
    write_idx(folder / "t10k-labels-idx1-ubyte", labels)
    return folder, images, labels


def test_idx_files_gzipped_or_not(fashion):
    _, images, labels = fashion
    found = data.load_fashion_mnist("test")
    assert np.array_equal(data.to_levels(found.x[:, 0], 256).numpy(), images)
    assert found.labels.tolist() == labels.tolist()
    data.check_images(found.x, 256)


def test_idx_files_that_are_refused(fashion, tmp_path):
    folder, images, labels = fashion
    with pytest.raises(InputError, match=r"fashion-mnist has no train-images-idx3-ubyte or .*zalandoresearch.*SOJOURN"):
        data.load_fashion_mnist("train")
    with pytest.raises(InputError, match=r"mnist has no train-images.*yann.lecun.com"):
        data.load_mnist()
    with pytest.raises(InputError, match="split='valid' is not known; choose one of: train, test"):
        data.load_mnist("valid")
    write_idx(tmp_path / "mnist" / "t10k-images-idx3-ubyte", images)
    with pytest.raises(InputError, match=r"has md5 .*, not 2646ac647ad5339dbf082846283269ea: it was changed"):
        data.load_mnist("test")
    write_idx(folder / "t10k-labels-idx1-ubyte", labels + 1)
    with pytest.raises(InputError, match=r"labels of fashion-mnist \(test\) go up to 10, not 9"):
        data.load_fashion_mnist("test")
    write_idx(folder / "t10k-labels-idx1-ubyte", labels[:-1])
    with pytest.raises(InputError, match=r"shape \(9999,\), not \(10000,\)"):
        data.load_fashion_mnist("test")
    write_idx(folder / "t10k-labels-idx1-ubyte", labels, cut=3)
    with pytest.raises(InputError, match="holds 9997 bytes of data, not the 10000 of its header"):
        data.load_fashion_mnist("test")
    (folder / "t10k-labels-idx1-ubyte").write_bytes(b"\x89PNG....")
    with pytest.raises(InputError, match="is not an IDX file of bytes: it begins with 89 50 4e 47"):
        data.load_fashion_mnist("test")
    whole = (folder / "t10k-images-idx3-ubyte.gz").read_bytes()
    for broken in (whole[:-100], b"not gzip", b""):
        (folder / "t10k-images-idx3-ubyte.gz").write_bytes(broken)
        with pytest.raises(InputError, match=r"t10k-images-idx3-ubyte.gz (cannot be read: |is not an IDX file)"):
            data.load_fashion_mnist("test")


@pytest.mark.skipif(not (idx.data_folder() / "mnist").is_dir(), reason="MNIST is not in the data folder")
def test_mnist_as_published():
    test = data.load_mnist("test")
    assert tuple(test.x.shape) == (10000, 1, 28, 28)
    assert torch.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_a_folder_of_images(tmp_path):
    gradient = np.arange(256, dtype=np.uint8).reshape(16, 16)
    colours = np.stack([gradient, 255 - gradient, gradient // 2], axis=-1)
    (tmp_path / "deeper").mkdir()
    Image.fromarray(colours).save(tmp_path / "b.png")
    Image.fromarray(np.pad(gradient, ((0, 0), (8, 8)))).save(tmp_path / "a.bmp")  # the middle square is the gradient
    Image.fromarray(np.kron(gradient, np.ones((3, 3), np.uint8))).save(tmp_path / "deeper" / "c.tiff")
    (tmp_path / "notes.txt").write_text("passed over")
    found = data.load_folder(tmp_path, 16)
    assert found.labels is None
    data.check_images(found.x, 256)
    levels = data.to_levels(found.x, 256).numpy()
    assert np.array_equal(levels[0], np.stack([gradient] * 3))
    assert np.array_equal(levels[1], colours.transpose(2, 0, 1))
    assert np.abs(levels[2] - gradient.astype(int)).max() <= 26  # Lanczos sharpens the step at the end of a row
    both = data.load_folder(tmp_path, 16, colour="grey", mirrored=True)
    assert tuple(both.x.shape) == (6, 1, 16, 16)
    assert torch.equal(both.x[3:], both.x[:3].flip(3))


def test_transparency_and_the_cameras_turn(tmp_path):
    clear = np.zeros((4, 4, 4), np.uint8)
    clear[:2, :, 3] = 255  # the upper half is black, the lower half is black that cannot be seen
    Image.fromarray(clear).save(tmp_path / "clear.png")
    image = Image.fromarray(np.repeat(np.array([0, 0, 255, 255], np.uint8)[:, None], 4, axis=1))
    turn = Image.Exif()
    turn[0x0112] = 3  # upside down
    image.save(tmp_path / "turned.png", exif=turn)
    found = data.to_levels(data.load_folder(tmp_path, 4, colour="grey").x, 256)
    assert found[:, 0, :, 0].tolist() == [[0, 0, 255, 255], [255, 255, 0, 0]]


def test_folders_that_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"nowhere is not a folder"):
        data.load_folder(tmp_path / "nowhere", 8)
    with pytest.raises(InputError, match=r"holds no images; files are looked for that end in \.bmp"):
        data.load_folder(tmp_path, 8)
    with pytest.raises(InputError, match="size=0 is below 1"):
        data.load_folder(tmp_path, 0)
    with pytest.raises(InputError, match="colour='blue' is not known"):
        data.load_folder(tmp_path, 8, colour="blue")
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(InputError, match=r"deep.png has pixels of type I;16, not of 8 bits"):
        data.load_folder(tmp_path, 8)
    os.remove(tmp_path / "deep.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(InputError, match=r"broken.png cannot be read as an image: .*; mend it or take it out"):
        data.load_folder(tmp_path, 8)

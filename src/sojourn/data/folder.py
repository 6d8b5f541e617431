"""A folder of image files, of any sizes and formats, as one set of square images."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch

from sojourn.data.images import Images, from_levels
from sojourn.errors import InputError

_ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm"}
_EIGHT_BITS = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB"}


def load_folder(
    path: str | Path, size: int, *, colour: Literal["grey", "rgb"] = "rgb", mirrored: bool = False
) -> Images:
    """All images in a folder and the folders in it, in the order of their names, (n, 1 or 3, size, size).

    An image is turned as its camera says, scaled so that its shorter side is `size` (Lanczos; areas are averaged where
    it shrinks), and the middle square is kept. What is transparent becomes white. 256 grey levels.

    Args:
        path: the folder; files whose names do not end like those of images are passed over.
        size: pixels along each side.
        colour: "grey", one channel, or "rgb", three.
        mirrored: adds the mirror image, left for right, of each image after all others.

    Raises:
        InputError: the folder holds no images, or one of them cannot be read.
    """
    folder = Path(path)
    if size < 1:
        raise InputError(f"size={size} is below 1; give a number of pixels")
    if colour not in ("grey", "rgb"):
        raise InputError(f"colour={colour!r} is not known; choose one of: grey, rgb")
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; name one that holds images")
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in _ENDINGS and file.is_file())
    if not files:
        raise InputError(f"{folder} holds no images; files are looked for that end in {', '.join(sorted(_ENDINGS))}")
    mode = "L" if colour == "grey" else "RGB"
    k = torch.from_numpy(np.stack([_read(file, size, mode) for file in files])).reshape(len(files), size, size, -1)
    if mirrored:
        k = torch.cat([k, k.flip(2)])
    return Images(from_levels(k.permute(0, 3, 1, 2), 256).contiguous(), None, 256, folder.resolve().name)


def _read(file: Path, size: int, mode: str) -> np.ndarray:
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as opened:
            opened.load()
            image = ImageOps.exif_transpose(opened)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{file} cannot be read as an image: {error}; mend it or take it out of the folder") from None
    if image.mode not in _EIGHT_BITS:
        raise InputError(f"{file} has pixels of type {image.mode}, not of 8 bits a channel; convert it first")
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.asarray(ImageOps.fit(image.convert(mode), (size, size), Image.Resampling.LANCZOS))

"""Films: frames of RGB pixels to MP4 (by the ffmpeg that imageio-ffmpeg brings) or to an animated GIF."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from sojourn.errors import InputError


def write_film(path: str | Path, frames: Iterable[np.ndarray], *, rate: int = 20) -> None:
    """Writes uint8 frames (height, width, 3), all of one even size, at `rate` frames a second.

    The ending chooses the format: .mp4 (H.264) or .gif. The file appears when it is whole.

    Raises:
        InputError: another ending, no frames, or frames of an odd size for .mp4.
    """
    path = Path(path)
    writers = {".mp4": _write_mp4, ".gif": _write_gif}
    if path.suffix not in writers:
        raise InputError(f"film {path.name!r} has the ending {path.suffix!r}; choose .mp4 or .gif")
    beside = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        writers[path.suffix](beside, iter(frames), rate)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _write_mp4(path: Path, frames, rate: int) -> None:
    import imageio_ffmpeg

    first = _first(frames)
    height, width = first.shape[:2]
    if height % 2 or width % 2:
        raise InputError(f"frames of {width}x{height} pixels cannot be an .mp4; make both sides even")
    writer = imageio_ffmpeg.write_frames(
        str(path), (width, height), fps=rate, codec="libx264", quality=6, macro_block_size=2, ffmpeg_log_level="error"
    )
    writer.send(None)
    try:
        writer.send(np.ascontiguousarray(first))
        for frame in frames:
            writer.send(np.ascontiguousarray(frame))
    finally:
        writer.close()


def _write_gif(path: Path, frames, rate: int) -> None:
    from PIL import Image

    first, *others = [Image.fromarray(frame) for frame in frames] or [None]
    if first is None:
        raise InputError("a film needs at least one frame")
    first.save(path, save_all=True, append_images=others, duration=1000 / rate, loop=0, optimize=True)


def _first(frames) -> np.ndarray:
    try:
        return next(frames)
    except StopIteration:
        raise InputError("a film needs at least one frame") from None

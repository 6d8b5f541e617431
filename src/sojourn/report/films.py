"""Films for a report: a few frames at even times, as pictures."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from sojourn.errors import InputError

# a film has lost what JPEG loses, and Typst embeds JPEG as it is: half the bytes of PNG, and less time
_JPEG = ("-q:v", "2", "-pix_fmt", "yuvj444p")


def strip(film: Path, frames: int | Sequence[float], folder: Path, stem: str) -> list[Path]:
    """Writes frames of a film as <stem>-<k>.jpg into a folder.

    Args:
        frames: how many, evenly spaced from the first to the last; or the places of each, from 0, the first frame of
            the film, to 1, its last.

    Raises:
        InputError: there is no frame to show, the film has fewer, places do not increase, or it cannot be read.
    """
    if frames in (0, ()):
        raise InputError("frames: none are asked for; a film is shown by at least one frame")
    count = _count(film)
    if isinstance(frames, int):
        if frames > count:
            raise InputError(f"frames={frames} is more than the {count} that {film.name} has; ask for fewer")
        frames = [k / max(1, frames - 1) for k in range(frames)]
    chosen = [round(place * (count - 1)) for place in frames]
    if any(later <= earlier for earlier, later in pairwise(chosen)):
        places = ", ".join(f"{place:.4g}" for place in frames)
        raise InputError(f"frames at {places} are not one after the other among the {count} of {film.name}")
    targets = [folder / f"{stem}-{k}.jpg" for k in range(len(chosen))]
    with tempfile.TemporaryDirectory(dir=folder) as beside:
        picked = "+".join(f"eq(n\\,{n})" for n in chosen)
        _ffmpeg(film, "-vf", f"select={picked}", "-fps_mode", "passthrough", *_JPEG, str(Path(beside) / "%d.jpg"))
        for k, target in enumerate(targets, 1):
            os.replace(Path(beside) / f"{k}.jpg", target)
    return targets


def _count(film: Path) -> int:
    import imageio_ffmpeg

    try:
        return imageio_ffmpeg.count_frames_and_secs(str(film))[0] or 0
    except (OSError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(f"{film} cannot be read as a film: {reason}") from None


def _ffmpeg(film: Path, *arguments: str) -> None:
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-i", str(film), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"{film} cannot be read as a film: {done.stderr.strip().splitlines()[-1]}")

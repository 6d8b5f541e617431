"""Films for a report: a few frames at even times, as pictures."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from sojourn.errors import InputError

# a film has lost what JPEG loses, and Typst embeds JPEG as it is: half the bytes of PNG, and less time
_JPEG = ("-q:v", "2", "-pix_fmt", "yuvj444p")


def strip(film: Path, frames: int, folder: Path, stem: str) -> list[Path]:
    """Writes `frames` frames of a film, evenly spaced from the first to the last, as <stem>-<k>.jpg into a folder.

    Raises:
        InputError: `frames` is below 1, the film has fewer, or it cannot be read.
    """
    if frames < 1:
        raise InputError(f"frames={frames} is below 1; a film is shown by at least one frame")
    count = _count(film)
    if frames > count:
        raise InputError(f"frames={frames} is more than the {count} that {film.name} has; ask for fewer")
    chosen = [round(k * (count - 1) / max(1, frames - 1)) for k in range(frames)]
    targets = [folder / f"{stem}-{k}.jpg" for k in range(frames)]
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

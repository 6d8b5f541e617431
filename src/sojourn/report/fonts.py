"""Chinese fonts for reports: the best that the system has, else those that the extra `zh` brings.

Song carries the text, Hei the headings and what is strong, Kai the emphasis. Only font files that a report names are
shown to Typst, so that a page never depends on what else is installed.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

# family and the files that it comes in, best first
_SONG = (
    ("Noto Serif CJK SC", ("NotoSerifCJK-Regular.ttc", "NotoSerifCJKsc-Regular.otf", "NotoSerifCJK-VF.otf.ttc")),
    ("Source Han Serif SC", ("SourceHanSerifSC-Regular.otf", "SourceHanSerif.ttc", "SourceHanSerif-Regular.ttc")),
    ("Noto Serif SC", ("NotoSerifSC-Regular.otf", "NotoSerifSC-Regular.ttf")),
    ("Songti SC", ("Songti.ttc",)),
    ("SimSun", ("simsun.ttc",)),
)
_HEI = (
    ("Noto Sans CJK SC", ("NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "NotoSansCJK-VF.otf.ttc")),
    ("Source Han Sans SC", ("SourceHanSansSC-Regular.otf", "SourceHanSans.ttc", "SourceHanSans-Regular.ttc")),
    ("Noto Sans SC", ("NotoSansSC-Regular.otf", "NotoSansSC-Regular.ttf")),
    ("PingFang SC", ("PingFang.ttc",)),
    ("Heiti SC", ("STHeiti Medium.ttc", "STHeiti Light.ttc")),
    ("Microsoft YaHei", ("msyh.ttc",)),
    ("SimHei", ("simhei.ttf",)),
    ("WenQuanYi Micro Hei", ("wqy-microhei.ttc",)),
)
_KAI = (
    ("LXGW WenKai", ("LXGWWenKai-Regular.ttf",)),
    ("LXGW WenKai GB", ("LXGWWenKaiGB-Regular.ttf",)),
    ("Kaiti SC", ("Kaiti.ttc",)),
    ("KaiTi", ("simkai.ttf",)),
    ("AR PL UKai CN", ("ukai.ttc",)),
)
_EXTRA = "pylopdf_fonts_zh_cn"


@dataclass(frozen=True)
class Chinese:
    """What was found: families and the folders that hold their files; an empty name where there is none.

    Attributes:
        song, hei, kai: families. Where one of the first two is missing it is the other; `kai` may be empty.
        folders: for Typst's `font_paths`.
    """

    song: str
    hei: str
    kai: str
    folders: tuple[Path, ...]


def chinese(own: Path | None = None) -> Chinese:
    """The best Chinese fonts of the folder `own`, of the system and of the extra `zh`, in this order.

    A Song face of the extra is better than a system that has only Hei.
    """
    places = [place for place in ([own] if own else []) + _system() if place.is_dir()]
    extra = _extra()
    files = _files(places)
    brought = _files([extra]) if extra else {}
    song, hei, kai = (_best(faces, files) or _best(faces, brought) for faces in (_SONG, _HEI, _KAI))
    names = [face[0] if face else "" for face in (song, hei, kai)]
    folders = tuple(dict.fromkeys(face[1].parent for face in (song, hei, kai) if face))
    return Chinese(names[0] or names[1], names[1] or names[0], names[2], folders)


def _best(faces: tuple[tuple[str, tuple[str, ...]], ...], files: dict[str, Path]) -> tuple[str, Path] | None:
    found = ((family, files[name.lower()]) for family, names in faces for name in names if name.lower() in files)
    return next(found, None)


def _files(places: list[Path]) -> dict[str, Path]:
    """The font files under the places by their names in lower case, those of earlier places first."""
    wanted = {name.lower() for faces in (_SONG, _HEI, _KAI) for _, names in faces for name in names}
    found: dict[str, Path] = {}
    for place in places:
        for folder, _, names in os.walk(place):
            for name in sorted(names):
                if name.lower() in wanted:
                    found.setdefault(name.lower(), Path(folder) / name)
    return found


def _system() -> list[Path]:
    home = Path.home()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA", str(home / "AppData" / "Local"))
        return [Path(local) / "Microsoft/Windows/Fonts", Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts"]
    if sys.platform == "darwin":
        return [home / "Library/Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts")]
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
    return [data / "fonts", home / ".fonts", Path("/usr/local/share/fonts"), Path("/usr/share/fonts")]


def _extra() -> Path | None:
    spec = find_spec(_EXTRA)
    return Path(spec.origin).parent if spec and spec.origin else None

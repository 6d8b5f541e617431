"""Fonts from folders, and frames from films."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sojourn.errors import InputError
from sojourn.report import fonts
from sojourn.report.films import strip

from .made import film, make_run


def test_the_extra_brings_song_and_hei():
    found = fonts.chinese()
    assert found.song
    assert found.hei
    assert all(folder.is_dir() for folder in found.folders)


def test_a_font_beside_the_report_comes_first_and_kai_is_used_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(fonts, "_system", lambda: [])
    (tmp_path / "deep").mkdir()
    for name in ("SourceHanSerifSC-Regular.otf", "simkai.ttf"):
        (tmp_path / "deep" / name).touch()
    found = fonts.chinese(tmp_path)
    assert (found.song, found.kai) == ("Source Han Serif SC", "KaiTi")
    assert found.folders[0] == tmp_path / "deep"


def test_without_the_extra_hei_stands_in_for_song_and_nothing_for_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(fonts, "_extra", lambda: None)
    monkeypatch.setattr(fonts, "_system", lambda: [tmp_path])
    assert fonts.chinese() == fonts.Chinese("", "", "", ())
    (tmp_path / "wqy-microhei.ttc").touch()
    assert fonts.chinese().song == fonts.chinese().hei == "WenQuanYi Micro Hei"


@pytest.mark.parametrize("name", ["film.mp4", "film.gif"])
def test_frames_are_evenly_spaced_from_the_first_to_the_last(name):
    path = film(make_run("life"), name, frames=9)
    made = strip(path, 5, Path(), "strip")
    shades = [float(np.asarray(Image.open(one).convert("L")).mean()) for one in made]
    assert shades == pytest.approx([0, 40, 80, 120, 160], abs=4)  # the codec is not exact
    assert [one.name for one in Path().glob("strip*")].__len__() == 5


def test_frames_stand_at_the_places_that_are_named():
    path = film(make_run("life"), "film.mp4", frames=9)
    made = strip(path, (0.25, 0.5, 1.0), Path(), "strip")
    shades = [float(np.asarray(Image.open(one).convert("L")).mean()) for one in made]
    assert shades == pytest.approx([40, 80, 160], abs=4)
    with pytest.raises(InputError, match=r"frames at 0.5, 0.25 are not one after the other among the 9 of film\.mp4"):
        strip(path, (0.5, 0.25), Path(), "strip")


def test_films_that_cannot_be_shown_are_refused(tmp_path):
    path = film(make_run("life"), "film.mp4", frames=3)
    with pytest.raises(InputError, match=r"frames=4 is more than the 3 that film\.mp4 has; ask for fewer"):
        strip(path, 4, tmp_path, "strip")
    with pytest.raises(InputError, match="frames: none are asked for; a film is shown by at least one"):
        strip(path, 0, tmp_path, "strip")
    broken = shutil.copy(path, tmp_path / "broken.mp4")
    Path(broken).write_bytes(b"no film")
    with pytest.raises(InputError, match=r"broken\.mp4 cannot be read as a film"):
        strip(Path(broken), 1, tmp_path, "strip")

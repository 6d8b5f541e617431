"""The bibliography: BibTeX as it is found in the wild, and the papers that are shipped."""

import re

import pytest
import typst

from sojourn.errors import InputError
from sojourn.report import papers

WILD = r"""
% a comment with @signs and {braces}
@comment{ignored}
@Article{Muller2020,
  author    = "M{\"u}ller, J. and {The Lenia Group} and Bert Wang-Chak Chan",
  title     = {On {SDE}s, a study of {\'e}t{\'e} in {{\L}}odz},
  year      = 2020,
  doi = {10.1000/ABC},
}
@misc{wang, author={王小明 and 李四}, title={关于扩散模型}, year={2021}, eprint={2101.00001}}
"""


def test_bibtex_is_read_as_it_is_written():
    entries = papers.parse(WILD, "references.bib")
    found = papers.find(entries, "https://doi.org/10.1000/abc")
    assert found["authors"] == ["Müller", "The Lenia Group", "Chan"]
    assert found["title"] == "On SDEs, a study of été in Łodz"
    assert (found["key"], found["year"]) == ("Muller2020", "2020")
    assert papers.find(entries, "arXiv:2101.00001v3")["authors"] == ["王小明", "李四"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n@article{a, title={x}", "references.bib:2: the braces of this entry do not close"),
        ("@article{title={x}}", "references.bib:1: this entry has no key"),
        ("@misc{a, title={x}}\n\n@misc{A, title={y}}", "references.bib:3: two entries have the key A; rename one"),
    ],
)
def test_bad_bibtex_is_named_by_line(text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        papers.parse(text, "references.bib")


def test_an_own_entry_replaces_the_shipped_one(tmp_path):
    (tmp_path / "references.bib").write_text("@misc{ho2020, title={Mine}, author={Me}, year={1}}", encoding="utf-8")
    entries = papers.gather(tmp_path)
    assert papers.find(entries, "ho2020")["title"] == "Mine"
    assert len(entries) == len(papers.shipped())


def test_a_chinese_name_is_whole_and_unknown_commands_are_words():
    entries = papers.parse(
        "@misc{z, author={张, 三 and 欧阳 修}, title={The {\\TeX}book, \\emph{again}}, year=1984}", "a.bib"
    )
    found = papers.find(entries, "z")
    assert found["authors"] == ["张三", "欧阳修"]
    assert found["title"] == "The TeXbook, again"


def test_an_own_file_stands_first_and_as_it_is_written(tmp_path):
    own = "% mine\n@string{j = {A Journal}}\n@article{mine, title={T}, journal=j, year=2020}\n"
    (tmp_path / "references.bib").write_text(own, encoding="utf-8")
    assert papers.text(tmp_path).startswith(own)


def test_an_unknown_paper_is_named():
    with pytest.raises(InputError, match=r'no paper "9999.00001" is known; add its BibTeX entry to references.bib'):
        papers.find(list(papers.shipped()), "9999.00001")


def test_every_shipped_paper_is_whole_and_found_by_all_its_names():
    entries = papers.shipped()
    assert len(entries) > 100
    for entry in entries:
        names = [entry[name] for name in ("key", "eprint", "doi") if name in entry]
        for name in names:
            found = papers.find(list(entries), name)
            assert found["key"] == entry["key"]
            assert all(found["authors"])
            assert found["title"]
            assert re.fullmatch(r"(19|20)\d\d", found["year"])
            assert not re.search(r"[{}\\]", found["title"] + "".join(found["authors"]))
        if "eprint" in entry:
            assert re.fullmatch(r"\d{4}\.\d{4,5}", entry["eprint"])


@pytest.mark.parametrize("style", ["gb-7714-2015-numeric", "ieee"])
def test_typst_reads_every_shipped_paper(style, tmp_path):
    (tmp_path / "all.bib").write_text(papers.text(tmp_path), encoding="utf-8")
    (tmp_path / "all.typ").write_text(f'#bibliography("all.bib", style: "{style}", full: true)', encoding="utf-8")
    _, warnings = typst.compile_with_warnings(
        str(tmp_path / "all.typ"), format="pdf", ignore_system_fonts=True, pdf_standards="a-2b", timestamp=0
    )
    assert not warnings

"""`sojourn bound`: what it prints, its pictures, bad input by its message, and a quick start."""

import subprocess
import sys
from pathlib import Path

import pytest

from sojourn import cli

COIN = "bound --mean 0.5 --range 0 1 --n 1000"


def sojourn(monkeypatch, capsys, command):
    """Exit code, standard output and standard error of one command."""
    monkeypatch.setattr(sys, "argv", ["sojourn", *command.split()])
    monkeypatch.setenv("COLUMNS", "200")
    code = 0
    try:
        cli.main()
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    return code, out, err


def test_the_tightest_stands_first_with_what_it_used_and_where_it_is_proved(monkeypatch, capsys):
    code, out, _ = sojourn(monkeypatch, capsys, f"{COIN} --deviation 0.05")
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "P(S/n - E X >= 0.05), n = 1000 iid terms, mean 0.5, range (0, 1)"
    assert lines[1].split() == ["bound", "inequality", "uses", "source"]
    numbers = [float(line.split()[0]) for line in lines[2:] if line.startswith(" 0.")]
    assert numbers == sorted(numbers)
    assert numbers[0] < 0.00674
    assert "0.006738" in out  # Hoeffding's e^-5, rounded up
    assert "variance 0.25 (Bhatia-Davis)" in out
    assert "No bound can be below 0.0008652: it is attained by X = 1 with probability 0.5, otherwise 0" in out
    assert "needs a sum with one mode" in out
    assert f"sojourn {COIN} --deviation 0.05 --picture bound.png" in out


def test_deviations_and_numbers_of_terms(monkeypatch, capsys):
    _, out, _ = sojourn(monkeypatch, capsys, f"{COIN} --probability 0.05 --side both")
    assert out.startswith("least d with P(|S/n - E X| >= d) <= 0.05")
    assert "0.04295" in out  # sqrt(ln(40)/2000) = 0.042947, Hoeffding's
    _, out, _ = sojourn(monkeypatch, capsys, "bound --mean 0.5 --range 0 1 --accuracy 0.05 --probability 0.01")
    assert out.startswith("least n with P(S/n - E X >= 0.05) <= 0.01, iid terms, mean 0.5, range (0, 1)")
    assert "922" in out  # ln(100)/(2 0.05^2) = 921.03, Hoeffding's


def test_options_of_every_kind(monkeypatch, capsys):
    options = "--variance 1 --third-moment 2 --n 400 --deviation 0.2 --side lower --of mean --dependence iid --unimodal"
    _, out, _ = sojourn(monkeypatch, capsys, f"bound {options}")
    assert "P(E X - S/n >= 0.2), n = 400 iid terms, variance 1, third moment 2, one mode" in out
    assert "berry_esseen" in out.split("Left out")[0]
    assert "vysochanskij_petunin" in out.split("Left out")[0]
    _, out, _ = sojourn(monkeypatch, capsys, "bound --increment 1 --n 9 --of sum --deviation 8 --maximal")
    assert out.startswith("P(max_k (S_k - E S_k) >= 8), n = 9 iid terms, increment 1")


def test_a_picture_is_written(monkeypatch, capsys):
    code, out, _ = sojourn(monkeypatch, capsys, "bound --variance 1 --n 4 --deviation 2 --picture tails.png")
    assert code == 0
    assert out.splitlines()[-1] == "tails.png"
    assert Path("tails.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--n 10", "give --deviation (to bound its probability), --probability"),
        ("--deviation 1 --probability 0.1", "give --deviation (to bound its probability), --probability"),
        ("--range 0 1 --accuracy 0.1", "give --deviation (to bound its probability), --probability"),
        ("--range 0 1 --accuracy 0.1 --probability 0.1 --n 5", "leave out --n and --of"),
        ("--mean 2 --range 0 1 --deviation 0.1", "mean=2 is not inside range=(0, 1)"),
        ("--variance -1 --deviation 0.1", "variance=-1.0 is negative"),
        ("--variance 1 --deviation nan", "deviation=nan is not finite"),
        ("--variance 1 --probability 1.5", "probability=1.5 is not in (0, 1)"),
        ("--range 0 --deviation 0.1", "--range"),
        ("--variance much --deviation 0.1", "--variance"),
        ("--dependence some --deviation 0.1", "--dependence"),
        ("--bogus 1", "--bogus"),
        ("--variance 1 --deviation 1 --picture a.pdf", "--picture a.pdf is not a PNG file"),
        ("--variance 1 --accuracy 1 --probability 0.1 --picture a.png", "--picture shows bounds against the deviation"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(monkeypatch, capsys, options, message):
    code, out, err = sojourn(monkeypatch, capsys, f"bound {options}")
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert out == ""


def test_nothing_known_is_said(monkeypatch, capsys):
    code, out, _ = sojourn(monkeypatch, capsys, "bound --mean 1 --deviation 0.1")
    assert code == 0
    assert "no inequality applies; give more of what is known, such as --range" in out


def test_help_and_table_import_neither_torch_nor_matplotlib():
    code = (
        "import sys; from sojourn import cli; sys.argv = ['sojourn', 'bound', *{words!r}]; cli.main(); "
        "bad = [m for m in {heavy!r} if m in sys.modules]; assert not bad, bad"
    )
    for words, heavy in (
        (["--help"], ["torch", "matplotlib", "numpy", "scipy", "flint", "numba", "sympy", "tyro"]),
        (["--variance", "1", "--deviation", "2"], ["torch", "matplotlib", "numba", "sympy"]),
    ):
        done = subprocess.run([sys.executable, "-c", code.format(words=words, heavy=heavy)], capture_output=True)
        assert done.returncode == 0, done.stderr.decode()

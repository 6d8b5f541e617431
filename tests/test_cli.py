"""The command line: start-up, bad input by its message and exit code, runs that are killed and resumed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import sojourn as sj
from sojourn import cli
from sojourn.learning.networks import LifeNetwork
from sojourn.runs import Run

SMALL = ["--networks", "4", "--boards", "8", "--soup", "64", "--steps", "400", "--save-every", "20"]


def sojourn(monkeypatch, capsys, *arguments):
    """Exit code, standard output and standard error of one command."""
    monkeypatch.setattr(sys, "argv", ["sojourn", *map(str, arguments)])
    code = 0
    try:
        cli.main()
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("run", "which experiment? there are: life, springer-kenyon"),
        ("run lief", "no experiment is called 'lief'"),
        ("run life --rule B9/S23", 'rule "B9/S23": digit 9 at position 2'),
        ("run life --networks 0", "networks=0 is below 1"),
        ("run life --density 1.5", "density=1.5 is not a share of live cells"),
        ("run life --bogus 3", "--bogus"),
        ("run life --networks many", "--networks"),
        ("run life --seed -1", "seed=-1 is not in [0, 2^64)"),
        ("simulate", "which process? there are: life, generations, gray-scott"),
        ("simulate gray-scott --dt 3", "dt=3 is above the explicit stability limit 1.17"),
        ("simulate gray-scott --shape 2 2", "is too small for stencil='second'"),
        ("simulate gray-scott --pattern labyrinth", "no Gray-Scott pattern is called 'labyrinth'; there are: gliders"),
        ("simulate gray-scott --feed-rate much", "--feed-rate"),
        ("simulate gray-scott --shape 50000 50000", "need 80.0 GB of memory"),
        ("simulate life --shape 0 5", "shape=(0, 5) is not (height, width)"),
        ("simulate life --boundary klein", "'klein'"),
        ("simulate life --steps -4", "steps=-4 is below 0"),
        ("simulate life --pattern nosuch", 'no pattern named "nosuch"'),
        ("simulate life --pattern simkin-glider-gun --shape 8 8", "does not fit the grid of 8 x 8"),
        ("simulate generations --rule B3/S23", "B3/S23"),
        ("show nope", "no run at nope; there are no runs here yet"),
        ("resume", "resume takes one run"),
        ("doctor --x", "doctor takes no more words"),
        ("simulate life --device abacus", "device='abacus' is not here"),
        ("run life --density 0", "density=0.0 makes boards that show nothing"),
        ("simulate life --shape 1000000 1000000 --steps 1", "GB of memory"),
        ("frobnicate", "no command is called 'frobnicate'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2_and_leaves_nothing(monkeypatch, capsys, command, message):
    code, out, err = sojourn(monkeypatch, capsys, *command.split())
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert "Traceback" not in out + err
    assert not Path("runs").exists()


def test_debug_shows_the_traceback(monkeypatch, capsys):
    with pytest.raises(sj.InputError, match="no run at nope"):
        sojourn(monkeypatch, capsys, "show", "nope", "--debug")


def test_a_malformed_pattern_file_names_line_column_and_character(monkeypatch, capsys):
    Path("bad.rle").write_text("x = 3, y = 3\nbo$2bo$3q!\n")
    code, _, err = sojourn(monkeypatch, capsys, "simulate", "life", "--pattern", "bad.rle")
    assert code == 2
    assert all(part in err for part in ("line 2", "column 9", "q"))


def test_a_pattern_brings_its_rule_and_is_recorded_by_its_contents(monkeypatch, capsys):
    Path("small.rle").write_text("x = 3, y = 3, rule = B36/S23\nbo$2bo$3o!\n")
    options = "simulate life --pattern small.rle --steps 4 --out a"
    assert sojourn(monkeypatch, capsys, *options.split())[0] == 0
    assert Run.open("a").record["settings"]["parameters"]["rule"] == "B36/S23"
    Path("small.rle").unlink()
    assert sj.Trajectory.open("a/trajectory.zarr").dataset.attrs["parameters"]["rule"] == "B36/S23"
    assert "bo$2bo$3o!" in Run.open("a").record["settings"]["options"]["pattern"]
    options = "simulate life --pattern replicator --rule B3/S23 --steps 4 --out b"
    assert sojourn(monkeypatch, capsys, *options.split())[0] == 0
    assert Run.open("b").record["settings"]["parameters"]["rule"] == "B3/S23"


def test_a_damaged_record_is_one_line(monkeypatch, capsys):
    for name, text in (("half", "{"), ("empty", "{}")):
        Path(name).mkdir()
        Path(name, "run.json").write_text(text)
        for command in ("show", "resume"):
            code, _, err = sojourn(monkeypatch, capsys, command, name)
            assert (code, err.count("\n"), "record" in err) == (2, 1, True)


def test_simulate_show_list(monkeypatch, capsys):
    options = "--pattern glider --shape 40 40 --steps 40 --save-every 4 --out run"
    code, out, _ = sojourn(monkeypatch, capsys, "simulate", "life", *options.split())
    assert code == 0
    assert "11 frames" in out
    path = sj.Trajectory.open("run/trajectory.zarr")
    cells = path.dataset["cell"].values[0]
    np.testing.assert_array_equal(cells[10], np.roll(cells[0], (10, 10), (0, 1)))
    code, out, _ = sojourn(monkeypatch, capsys, "show", "run")
    assert code == 0
    assert "finished" in out
    code, _, err = sojourn(monkeypatch, capsys, "resume", "run")
    assert (code, "is finished" in err) == (2, True)
    code, _, err = sojourn(monkeypatch, capsys, "simulate", "life", *options.split())
    assert (code, "run exists and is not empty" in err) == (2, True)
    code, out, _ = sojourn(monkeypatch, capsys, "list")
    assert all(name in out for name in ("sojourn run life", "sojourn simulate generations"))
    code, out, _ = sojourn(monkeypatch, capsys, "--help")
    assert "sojourn run life" in out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full stands in for a full disk")
def test_a_full_disk_is_one_line_and_the_run_can_be_resumed(monkeypatch, capsys):
    def full(*_):
        with open("/dev/full", "w") as file:
            file.write("x")

    from sojourn.trajectory import StoreWriter

    with monkeypatch.context() as broken:
        broken.setattr(StoreWriter, "flush", full)
        code, _, err = sojourn(broken, capsys, "simulate", "life", "--steps", "50", "--out", "run")
    assert code == 2
    assert "No space left on device" in err
    assert "sojourn resume run" in err
    assert Run.open("run").status == "failed"
    code, _, _ = sojourn(monkeypatch, capsys, "resume", "run")
    assert code == 0
    assert len(sj.Trajectory.open("run/trajectory.zarr")) == 6


def test_help_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['sojourn', '--help']; from sojourn.cli import main; main(); print(sorted(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not any(f"'{name}'" in out for name in ("torch", "numba", "xarray", "zarr", "matplotlib", "scipy"))


@pytest.mark.slow
def test_a_killed_experiment_resumes_to_the_same_bits(tmp_path):
    """Three SIGKILLs; results, metrics, weights and trajectories are those of an unbroken run."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    command = [sys.executable, "-m", "sojourn", "run", "life", *SMALL, "--out"]
    subprocess.run([*command, whole], check=True, capture_output=True)
    process = subprocess.Popen([*command, broken], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for wait in (0.5, 2.0, 4.0):
        deadline = time.monotonic() + 60
        while not (broken / "metrics.jsonl").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(wait)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            assert Run.open(broken).status == "interrupted"
            resume = [sys.executable, "-m", "sojourn", "resume", broken]
            process = subprocess.Popen(resume, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert process.wait() == 0
    first, second = Run.open(whole), Run.open(broken)
    assert second.status == "finished"
    assert first.record["results"] == second.record["results"]
    assert first.metrics() == second.metrics()
    ours, theirs = (LifeNetwork.load(p / "network.safetensors") for p in (whole, broken))
    assert ours.digest == theirs.digest
    for name in ("boards.zarr", "trajectory.zarr", "learned.zarr"):
        a, b = (sj.Trajectory.open(p / name).dataset["cell"].values for p in (whole, broken))
        np.testing.assert_array_equal(a, b)
    assert json.loads((whole / "certificate.json").read_text())["exact"] is True
    assert {p.name for p in (broken / "figures").iterdir()} == {
        "learning.png",
        "neighbourhoods.png",
        "rollout.png",
        "film.mp4",
    }


def test_two_processes_cannot_work_on_one_run(tmp_path):
    run = Run.create("x", {}, tmp_path / "run")
    with run.active():
        assert Run.open(tmp_path / "run").status == "running"
        other = Run.open(tmp_path / "run")
        with pytest.raises(sj.InputError, match="is running in another process"), other.active():
            pass
    assert Run.open(tmp_path / "run").status == "finished"

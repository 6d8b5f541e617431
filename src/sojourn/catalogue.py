"""What can be simulated and run, by the name a user types; nothing is imported until it is used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sojourn.errors import InputError

PROCESSES = {
    "life": ("sojourn.processes.life.life:Life", "two-state cellular automata of radius 1: B/S, Hensel and MAP rules"),
    "generations": ("sojourn.processes.life.generations:Generations", "Generations automata, where cells age"),
    "gray-scott": (
        "sojourn.processes.gray_scott.gray_scott:GrayScott",
        "two species that react and diffuse: spots, mazes, spirals",
    ),
    "sde": ("sojourn.calculus.equation:ItoEquation", "a stochastic differential equation that you write"),
}

EXPERIMENTS = {
    "life": ("sojourn.experiments.life:LearnLife", "learn the Game of Life from boards, and prove it learned"),
    "springer-kenyon": (
        "sojourn.experiments.springer_kenyon:SpringerKenyon",
        "how often minimal networks learn n-step Life, beside the published table",
    ),
    "gray-scott": (
        "sojourn.experiments.gray_scott:GrayScottPattern",
        "grow one Gray-Scott pattern: its picture, film, spectrum and growth",
    ),
    "gray-scott-atlas": (
        "sojourn.experiments.gray_scott_atlas:GrayScottAtlas",
        "the map of all Gray-Scott patterns, each measured and named",
    ),
    "gray-scott-recover": (
        "sojourn.experiments.gray_scott_recover:RecoverGrayScott",
        "F, k and the diffusivities from a few frames or one picture, beside the true ones",
    ),
    "the-well-gray-scott": (
        "sojourn.experiments.the_well_gray_scott:TheWellGrayScott",
        "make The Well's Gray-Scott data set anew, or a share of it, in its own HDF5 files",
    ),
    "gray-scott-emulator": (
        "sojourn.experiments.gray_scott_emulator:GrayScottEmulator",
        "networks learn Gray-Scott, beside The Well's baselines: VRMSE, rollouts, breakeven",
    ),
    "blood": (
        "sojourn.experiments.blood:BloodToTumour",
        "robots in the blood of a bed with a tumour, free and guided by a magnetic field: film, dose, losses",
    ),
    "blood-validation": (
        "sojourn.experiments.blood_validation:BloodValidation",
        "every closed form of blood, vessels and robots, measured beside exact: one table, figures",
    ),
    "blood-control": (
        "sojourn.experiments.blood_control:BloodControl",
        "one field steers robots to one branch of four: optimised by gradients, beside constant fields and feedback",
    ),
    "blood-dispersion": (
        "sojourn.experiments.blood_dispersion:BloodDispersion",
        "how robots spread along a vessel, learned from tracks, beside Taylor and Aris",
    ),
    "ito": ("sojourn.experiments.ito:Ito", "Ito's chain rule, derived and tested on Brownian paths; exact laws"),
    "tail-bounds": (
        "sojourn.experiments.tail_bounds:TailBounds",
        "exact tails of sums and maxima beside every bound; what intervals cover",
    ),
    "ssm": (
        "sojourn.experiments.ssm:Ssm",
        "score matching in two minutes: the four below, small, each beside the published numbers",
    ),
    "ssm-uci": (
        "sojourn.experiments.ssm_uci:SsmUci",
        "five objectives of score matching on three UCI tables, beside the published figure",
    ),
    "ssm-nice": (
        "sojourn.experiments.ssm_nice:SsmNice",
        "a flow of MNIST learned by score matching, beside the published table",
    ),
    "ssm-speed": (
        "sojourn.experiments.ssm_speed:SsmSpeed",
        "seconds a step of score matching against dimension, beside the published figure",
    ),
    "ssm-vae": (
        "sojourn.experiments.ssm_vae:SsmVae",
        "autoencoders with implicit encoders, whose likelihoods stand beside the published tables",
    ),
    "ddpm": (
        "sojourn.experiments.ddpm:Ddpm",
        "a diffusion model of digits or of points in the plane: film, bound term by term, likelihood by two ways",
    ),
    "ddpm-mnist": (
        "sojourn.experiments.ddpm_mnist:DdpmMnist",
        "a diffusion model of MNIST or Fashion-MNIST, with guidance, bits per dimension and a Fréchet distance",
    ),
    "ddpm-gray-scott": (
        "sojourn.experiments.ddpm_gray_scott:DdpmGrayScott",
        "a diffusion model draws Gray-Scott states for given (F, k), and the true process judges them",
    ),
    "reverse-life": (
        "sojourn.experiments.reverse_life:ReverseLife",
        "start boards for given boards of Life, by discrete diffusion and annealing, scored as Kaggle's task",
    ),
    "week": ("sojourn.experiments.week:Week", "a week of small runs, and its report as PDF in Chinese and English"),
}

BETTER = {
    "life": {"exact_rate": "higher", "differing_cells": "lower"},
    "blood": {"*.captured in the tumour": "higher", "*.dose at the target": "higher"},
    "blood-control": {"*_in_target": "higher", "*_captured": "higher"},
    "blood-validation": {"holds": "higher"},
    "ssm-uci": {"losses.*": "lower"},
    "ssm-nice": {"measured.*.loss": "lower", "measured.*.log_likelihood": "higher"},
    "ssm-vae": {"nll.*": "lower"},
    "ddpm": {"bound.*": "lower", "flow.*.bits_per_dim": "lower", "flow.*.loss": "lower"},
    "ddpm-mnist": {"bound.*": "lower", "flow.*": "lower"},
    "reverse-life": {"scores.*": "lower", "solved.*": "higher", "bits_per_cell.*": "lower"},
}
"""Of an experiment's results those of which it is known which direction is better; names as patterns, paths dotted."""


def find(catalogue: dict[str, tuple[str, str]], name: str, kind: str) -> Any:
    """The class behind `name`; InputError with the known names if there is none."""
    if name not in catalogue:
        raise InputError(f"no {kind} is called {name!r}; there are: {', '.join(catalogue)}")
    module, attribute = catalogue[name][0].split(":")
    return getattr(import_module(module), attribute)

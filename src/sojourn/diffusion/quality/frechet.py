"""The Fréchet distance of the Gaussians that have the means and covariances of two sets.

d^2 = |m_1 - m_2|^2 + tr(S_1 + S_2 - 2 (S_1^(1/2) S_2 S_1^(1/2))^(1/2))
"""

from __future__ import annotations

import dataclasses

import torch

from sojourn.bounds.estimate import Estimate
from sojourn.diffusion.quality.samples import jackknife, two_sets
from sojourn.errors import InputError

GROUPS = 20
"""Of the jackknife."""


def frechet_distance(real: torch.Tensor, generated: torch.Tensor, *, confidence: float = 0.95) -> Estimate:
    """The squared Fréchet distance of the laws behind two sets of vectors or features, (n, ...) and (m, ...).

    The distance of the fitted Gaussians themselves, `fitted_distance`, is too large by about a constant over n: what
    others report at one n cannot be compared at another. Here the jackknife removes this term, which is the
    extrapolation to infinitely many members of Chong and Forsyth; so the value may be slightly negative. Features of
    Inception-v3 would make it the FID; others make other distances, which compare only with themselves.

    Raises:
        InputError: the sets do not match, hold fewer than 40 members, or are not finite.

    Sources: D. C. Dowson and B. V. Landau, J. Multivar. Anal. 12 (1982), 450; M. Heusel et al., arXiv 1706.08500;
    M. J. Chong and D. Forsyth, arXiv 1911.07023.
    """
    real, generated = two_sets(real, generated, least=2 * GROUPS)
    found = jackknife(fitted_distance, real, generated, groups=GROUPS, confidence=confidence)
    fitted = fitted_distance(real, generated)
    note = f"anything but means and covariances (the fitted Gaussians' own distance, biased upwards, is {fitted:.6g})"
    return dataclasses.replace(found, limits=(note, *found.limits))


def fitted_distance(real: torch.Tensor, generated: torch.Tensor) -> float:
    """The squared distance of the Gaussians fitted to two sets, with covariances over n - 1: as the FID is defined."""
    real, generated = two_sets(real, generated)
    return gaussian_distance(real.mean(dim=0), _covariance(real), generated.mean(dim=0), _covariance(generated))


def gaussian_distance(
    mean_1: torch.Tensor, covariance_1: torch.Tensor, mean_2: torch.Tensor, covariance_2: torch.Tensor
) -> float:
    """d^2 of N(mean_1, covariance_1) and N(mean_2, covariance_2); means (d,), covariances (d, d), in float64.

    tr (S_1^(1/2) S_2 S_1^(1/2))^(1/2) is the sum of the singular values of S_1^(1/2) S_2^(1/2), with roots from
    eigenvalues: no square root of a matrix that is not symmetric, and covariances may be singular.

    Raises:
        InputError: a covariance has an eigenvalue below zero beyond rounding.
    """
    left, right = _root(covariance_1.double()), _root(covariance_2.double())
    overlap = torch.linalg.svdvals(left.T @ right).sum()
    shift = (mean_1.double() - mean_2.double()).square().sum()
    return float(shift + left.square().sum() + right.square().sum() - 2 * overlap)


def _covariance(x: torch.Tensor) -> torch.Tensor:
    centred = x - x.mean(dim=0)
    return centred.T @ centred / (len(x) - 1)


def _root(covariance: torch.Tensor) -> torch.Tensor:
    """A matrix R with R R^T = covariance: eigenvectors times roots of eigenvalues; |R|^2 is the trace."""
    values, vectors = torch.linalg.eigh(covariance)
    if float(values[0]) < -1e-6 * max(float(values[-1]), 1e-300):
        raise InputError(f"a covariance has the eigenvalue {float(values[0]):g}; give a positive semidefinite one")
    return vectors * values.clamp(min=0).sqrt()

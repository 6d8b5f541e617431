"""How generated data differ from real ones, each measure with its interval and what that covers."""

from sojourn.diffusion.quality.classifier import Classifier, accuracy, classifier_frechet, features, train_classifier
from sojourn.diffusion.quality.frechet import fitted_distance, frechet_distance, gaussian_distance
from sojourn.diffusion.quality.mmd import Gaussian, Polynomial, median_bandwidth, mmd_linear, mmd_squared
from sojourn.diffusion.quality.nearest import Memorisation, memorisation, nearest_neighbours
from sojourn.diffusion.quality.sliced import sliced_wasserstein, sliced_wasserstein_of_laws

__all__ = [
    "Classifier",
    "Gaussian",
    "Memorisation",
    "Polynomial",
    "accuracy",
    "classifier_frechet",
    "features",
    "fitted_distance",
    "frechet_distance",
    "gaussian_distance",
    "median_bandwidth",
    "memorisation",
    "mmd_linear",
    "mmd_squared",
    "nearest_neighbours",
    "sliced_wasserstein",
    "sliced_wasserstein_of_laws",
    "train_classifier",
]

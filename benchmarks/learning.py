"""How many of 1000 minimal networks the recipe proves exact, and how long they take: `python benchmarks/learning.py`.

Prints the share, the seconds of training and of certifying, and the margins; one line a seed given. No timing is
asserted. With --without-noise the recipe's noise is left out, to see what it brings.
"""

import sys
import time

import numpy as np

import sojourn as sj
from sojourn.learning.boards import collapse, training_pairs
from sojourn.learning.networks import LifeNetworks
from sojourn.learning.recipe import Fading, learn_one_step

NETWORKS, BLOCK = 1000, 128


def learn(seed: int, fading: Fading) -> None:
    seen = collapse(training_pairs("B3/S23", seed=seed, progress=False))
    training = certifying = 0.0
    certificates = []
    for first in range(0, NETWORKS, BLOCK):
        began = time.perf_counter()
        noise = sj.Noise(seed).members(first)
        networks = LifeNetworks(min(BLOCK, NETWORKS - first), noise=noise.split("weights"))
        learn_one_step(networks, seen, noise=noise.split("shake"), fading=fading)
        trained = time.perf_counter()
        certificates += [sj.certify(networks.pick(k), "B3/S23") for k in range(networks.replicas)]
        training, certifying = training + trained - began, certifying + time.perf_counter() - trained
    margins = np.array([c.margin for c in certificates if c.exact])
    print(
        f"seed {seed}: {len(margins)} of {NETWORKS} proved exact; {training:.1f} s training, {certifying:.1f} s "
        f"certifying; margin {margins.min():.2f} at least, {np.median(margins):.2f} in the middle"
    )


if __name__ == "__main__":
    seeds = [int(argument) for argument in sys.argv[1:] if argument != "--without-noise"]
    without_noise = "--without-noise" in sys.argv
    for number in seeds or [0]:
        learn(number, Fading(noise=0.0) if without_noise else Fading())

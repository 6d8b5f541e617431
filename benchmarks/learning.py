"""How many of 1000 minimal networks the recipe proves exact, and how long they take: `python benchmarks/learning.py`.

Prints the share, the seconds of training and of certifying, and the margins; one line a seed. No timing is asserted.
"""

import sys
import time

import numpy as np

import sojourn as sj
from sojourn.learning.boards import collapse, training_pairs
from sojourn.learning.networks import LifeNetworks
from sojourn.learning.recipe import learn_one_step

NETWORKS, BLOCK = 1000, 128


def learn(seed: int) -> None:
    seen = collapse(training_pairs("B3/S23", seed=seed, progress=False))
    training = certifying = 0.0
    certificates = []
    for first in range(0, NETWORKS, BLOCK):
        began = time.perf_counter()
        noise = sj.Noise(seed).members(first)
        networks = LifeNetworks(min(BLOCK, NETWORKS - first), noise=noise.split("weights"))
        learn_one_step(networks, seen, noise=noise.split("shake"))
        trained = time.perf_counter()
        certificates += [sj.certify(networks.pick(k), "B3/S23") for k in range(networks.replicas)]
        training, certifying = training + trained - began, certifying + time.perf_counter() - trained
    margins = np.array([c.margin for c in certificates if c.exact])
    print(
        f"seed {seed}: {len(margins)} of {NETWORKS} proved exact; {training:.1f} s training, {certifying:.1f} s "
        f"certifying; margin {margins.min():.2f} at least, {np.median(margins):.2f} in the middle"
    )


if __name__ == "__main__":
    for argument in sys.argv[1:] or ["0"]:
        learn(int(argument))

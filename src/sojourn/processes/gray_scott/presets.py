"""Named (feed rate, kill rate): The Well's six patterns, and Munafo's classes by the names of their Greek letters.

Sources: Ohana et al., "The Well" (arXiv 2412.00568); Munafo, "Stable localized moving patterns in the 2-D Gray-Scott
model" (arXiv 1501.01990) and his catalogue of the (F, k) plane, after Pearson (Science 261, 1993).
"""

THE_WELL = {
    "gliders": (0.014, 0.054),
    "bubbles": (0.098, 0.057),
    "maze": (0.029, 0.057),
    "worms": (0.058, 0.065),
    "spirals": (0.018, 0.051),
    "spots": (0.03, 0.062),
}

MUNAFO = {
    "alpha": (0.010, 0.047),
    "beta": (0.026, 0.051),
    "gamma": (0.022, 0.051),
    "delta": (0.030, 0.055),
    "epsilon": (0.018, 0.055),
    "zeta": (0.022, 0.061),
    "eta": (0.034, 0.063),
    "theta": (0.030, 0.057),
    "iota": (0.046, 0.0594),
    "kappa": (0.058, 0.063),
    "lambda": (0.026, 0.061),
    "mu": (0.046, 0.065),
    "nu": (0.046, 0.067),
    "xi": (0.010, 0.041),
    "pi": (0.062, 0.061),
    "rho": (0.090, 0.059),
    "sigma": (0.090, 0.057),
    "u-skate": (0.062, 0.0609),
}

PRESETS = THE_WELL | MUNAFO

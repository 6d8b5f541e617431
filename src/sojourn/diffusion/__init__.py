"""Diffusion models (Ho, Jain and Abbeel 2020) whose every number can be checked."""

"""Runnable recipes, one file each: a frozen dataclass of settings with a `run` that fills a run directory."""

"""Robots in blood: units, rheology and flow in a vessel."""

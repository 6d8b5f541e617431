"""Tail inequalities, confidence intervals and confidence sequences, evaluated with rounding away from the truth."""

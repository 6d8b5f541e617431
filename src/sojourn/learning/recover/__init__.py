"""Recovering the parameters of Gray-Scott from what it made: `gray_scott.recover_gray_scott`."""

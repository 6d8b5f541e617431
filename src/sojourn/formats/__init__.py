"""Patterns on disk (RLE, plain text, Life 1.05 and 1.06, a small library of names), and The Well's HDF5 files."""

from sojourn.formats import the_well
from sojourn.formats.detect import read_pattern
from sojourn.formats.library import named, names
from sojourn.formats.life_lists import read_life105, read_life106, write_life106
from sojourn.formats.plaintext import read_plaintext, write_plaintext
from sojourn.formats.rle import read_rle, write_rle

__all__ = [
    "named",
    "names",
    "read_life105",
    "read_life106",
    "read_pattern",
    "read_plaintext",
    "read_rle",
    "the_well",
    "write_life106",
    "write_plaintext",
    "write_rle",
]

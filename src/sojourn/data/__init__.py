"""Data to learn from: images in [-1, 1] with their grey levels known, points in the plane, and batches by the step.

data.load_digits("train").x                        # (1500, 1, 8, 8), 17 levels
data.shapes.sample("pinwheel", 1000, seed=0)       # (1000, 2)
data.batch_indices(1500, 128, step=7, seed=0)      # what step 7 of a training sees
"""

from sojourn.data import shapes
from sojourn.data.batches import batch_indices
from sojourn.data.digits import load_digits
from sojourn.data.folder import load_folder
from sojourn.data.gray_scott import gray_scott_states, to_concentrations
from sojourn.data.idx import load_fashion_mnist, load_mnist
from sojourn.data.images import Images, check_images, from_levels, to_levels, unit_rows
from sojourn.data.paths import path_states

__all__ = [
    "Images",
    "batch_indices",
    "check_images",
    "from_levels",
    "gray_scott_states",
    "load_digits",
    "load_fashion_mnist",
    "load_folder",
    "load_mnist",
    "path_states",
    "shapes",
    "to_concentrations",
    "to_levels",
    "unit_rows",
]

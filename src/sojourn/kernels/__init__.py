"""Numba twins of hot steps.

Numba's cache watches only the file of a kernel, not those of the functions it calls; so when any source here has
changed, the machine code kept beside it is thrown away.
"""

import contextlib
import hashlib
from pathlib import Path


def _drop_stale_code() -> None:
    here = Path(__file__).parent
    cache, stamp = here / "__pycache__", here / "__pycache__" / "kernels.sha256"
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(here.glob("*.py")))).hexdigest()
    with contextlib.suppress(OSError):  # a cache that cannot be written is not used either
        if not stamp.exists() or stamp.read_text() != digest:
            for path in cache.glob("*.nb[ic]"):
                path.unlink(missing_ok=True)
            cache.mkdir(exist_ok=True)
            stamp.write_text(digest)


_drop_stale_code()

"""Where a pattern's text comes from, and how large a pattern may be (shared by the readers)."""

from pathlib import Path

from sojourn.errors import InputError

CELL_LIMIT = 2**31


def read_source(source: str | Path) -> tuple[str, str]:
    """The text of a pattern, and the beginning of messages about it ("glider.rle: ", or "" for text given
    directly).

    Raises:
        InputError: the file does not exist or is not readable.
    """
    if isinstance(source, str) and any(mark in source for mark in "\n\r!$"):
        return source, ""
    path = Path(source)
    try:
        return path.read_text(encoding="utf-8-sig"), f"{path.name}: "
    except UnicodeDecodeError:
        return path.read_text(encoding="latin-1"), f"{path.name}: "
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"cannot read the pattern file {str(source)!r}: {reason}; give a path that exists, "
            "or the pattern's text (a text has a line break, a ! or a $)"
        ) from error


def check_extent(height: int, width: int, where: str) -> None:
    """Refuse a pattern of more than 2^31 cells before any memory is taken for it."""
    if height * width > CELL_LIMIT:
        raise InputError(
            f"{where}the pattern's extent of {width} by {height} needs {height * width / 2**30:.1f} GiB at "
            f"one byte a cell; the limit is {CELL_LIMIT / 2**30:.0f} GiB. Cut out the part you need"
        )

"""Typst, called so that nothing but the report's own folder counts, and its errors as one line with file and line."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import typst

from sojourn.errors import InputError

Format = Literal["pdf", "png", "svg"]
_STANDARD = "a-2b"  # an archival PDF must show every character, so Typst names those that no font has


@dataclass(frozen=True)
class Document:
    """One .typ file and what Typst may read for it.

    Attributes:
        path: the file, as the user named it; its folder is all that it can read.
        fonts: folders of fonts; the system's are not searched.
    """

    path: Path
    fonts: tuple[Path, ...]

    def needs(self, problems: dict[str, str] | None = None) -> list[list[str]]:
        """The words of all <sojourn-need>, in the order of the text.

        Args:
            problems: what is wrong with needs, by their words joined by bars: then the first one met is raised.

        Raises:
            InputError: the text cannot be typeset; with file and line.
        """
        compiler = self._compiler({"sojourn-asks": json.dumps(problems or {})})
        try:
            return json.loads(compiler.query("<sojourn-need>", field="value"))
        except RuntimeError as error:
            self._typeset(compiler, "svg")  # raises the same error with its place
            raise InputError(f"{self.path}: {' '.join(str(error).split())}") from None

    def typeset(self, form: Format) -> tuple[list[bytes], list[str]]:
        """The pages (all in one for "pdf"), and Typst's warnings, a line each.

        The same inputs give the same bytes.

        Raises:
            InputError: the text cannot be typeset, or has characters that no font here has; with file and line.
        """
        pages, warnings = self._typeset(self._compiler({"sojourn-built": ""}), form)
        found = pages if isinstance(pages, list) else [pages or b""]
        return found, [f"{self._place(w.diagnostic)}: {w.message}" for w in warnings]

    def _typeset(self, compiler: typst.Compiler, form: Format) -> tuple[Any, list[typst.TypstWarning]]:
        standards: Any = [_STANDARD] if form == "pdf" else []
        try:
            return compiler.compile_with_warnings(
                format=form, ppi=200 if form == "png" else None, pdf_standards=standards, timestamp=0
            )
        except typst.TypstError as error:
            raise InputError(self._one_line(error)) from None

    def _compiler(self, inputs: dict[str, str]) -> typst.Compiler:
        fonts = typst.Fonts(include_system_fonts=False, font_paths=[str(folder) for folder in self.fonts])
        return typst.Compiler(str(self.path), root=str(self.path.parent), font_paths=fonts, sys_inputs=inputs)

    def _one_line(self, error: typst.TypstError) -> str:
        if error.message.startswith("PDF/A") and "could not be displayed" in error.message:
            return self._missing(error.diagnostic)
        message = re.sub(r"^(panicked with|assertion failed): ", "", error.message)
        hints = "".join(f"; {hint}" for hint in error.hints)
        if re.match("failed to download package|package not found", message):
            message, hints = "this package is not on this machine", "; put its files beside the text and import those"
        elif re.fullmatch("label .* does not exist in the document", message):
            hints = "; label what it means, or add the paper of this key to references.bib"
        return " ".join(f"{self._place(error.diagnostic)}: {message}{hints}".split())

    def _missing(self, diagnostic: str) -> str:
        """The characters of all such errors, each once, with the place where it stands; the first twenty."""
        pattern = r'the text `"(.*?)"` could not be displayed[^\n]*(?:\n\s*┌─ ([^\n]*?):(\d+):\d+)?'
        found: dict[str, str] = {}
        for text, file, line in re.findall(pattern, diagnostic):
            own = self._own(file) if file else None
            found.setdefault(text, f"{own}:{line}" if own else "in a value or an SVG picture")
        places: dict[str, str] = {}
        for text, place in list(found.items())[:20]:
            places[place] = places.get(place, "") + text
        # the first gives the message its place, where it has one
        begins = next((place for place in places if not place.startswith("in ")), None)
        words = [text if place == begins else f"{text} ({place})" for place, text in places.items()]
        words += [f"{len(found) - 20} more"] if len(found) > 20 else []
        return (
            f"{self.path.parent / begins if begins else self.path}: no font here has {', '.join(words)}; "
            "write it otherwise, or put a font that has it into fonts/ beside the text and name it"
        )

    def _place(self, diagnostic: str) -> str:
        """file:line of the user's text: where the library is at fault, of the call that led there."""
        places = re.findall(r"┌─ (.*?):(\d+):\d+", diagnostic)
        own = next((f"{self.path.parent / own}:{line}" for file, line in places if (own := self._own(file))), None)
        return own or (f"{places[0][0]}:{places[0][1]}" if places else str(self.path))

    def _own(self, file: str) -> Path | None:
        """A file of the user's as seen from the report's folder; Typst writes it as seen from the working directory."""
        path, folder = Path(file).resolve(), self.path.parent.resolve()
        own = path.relative_to(folder) if path.is_relative_to(folder) else None
        if own == Path("sojourn", "references.bib"):
            return Path("references.bib")  # the user's, line by line, before the entries that ship
        return own if own and own.parts[0] != "sojourn" else None

"""What has `lines` shows them, in a terminal, in LaTeX, in Typst and in a notebook."""

from __future__ import annotations

from sojourn.calculus.steps import Step


class Shown:
    """A result with `lines`; a dataclass of it says repr=False."""

    @property
    def lines(self) -> tuple[Step, ...]:
        """The equations of the result."""
        raise NotImplementedError

    def __repr__(self) -> str:
        from sojourn.calculus.show import text

        return text(self)

    def latex(self) -> str:
        """The equations in LaTeX."""
        from sojourn.calculus.show import latex

        return latex(self)

    def typst(self) -> str:
        """The equations in Typst's mathematics."""
        from sojourn.calculus.show import typst

        return typst(self)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

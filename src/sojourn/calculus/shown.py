"""What is mathematics shows itself: in a terminal, in LaTeX, in Typst and in a notebook."""


class Shown:
    """A process or result that `show` knows; a dataclass of it says repr=False."""

    def __repr__(self) -> str:
        from sojourn.calculus.show import text

        return text(self)

    def latex(self) -> str:
        """In LaTeX, without dollar signs."""
        from sojourn.calculus.show import latex

        return latex(self)

    def typst(self) -> str:
        """In Typst's mathematics, without dollar signs."""
        from sojourn.calculus.show import typst

        return typst(self)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

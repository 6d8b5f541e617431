"""Mathematics as it is written: LaTeX and Typst become one kind of tree, and trees become Typst."""

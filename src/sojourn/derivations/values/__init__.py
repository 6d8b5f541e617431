"""What trees mean: numbers, vectors, random variables and functions, as SymPy expressions and at points."""

"""Weekly reports from recorded runs: a folder with a text in Typst, filled with what runs found, and set as PDF."""

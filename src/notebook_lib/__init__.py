"""Conformal prediction when something is missing: the library of the book."""

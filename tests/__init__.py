"""A package, so that `tests.triton` is not taken for the package `triton` that torch imports."""

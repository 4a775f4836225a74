"""Writes a bundle as a Triton model repository."""

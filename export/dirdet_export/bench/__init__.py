"""Measuring how many pictures a bundle's networks take in a second, part by part."""

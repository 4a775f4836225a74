"""Frames of videos as pictures: which there are, told by their timestamps, and each one read again by its own."""

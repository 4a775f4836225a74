"""Annotation files: reading, checking and converting what a detector learns from, without torch."""

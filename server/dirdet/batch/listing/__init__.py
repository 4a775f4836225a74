"""Lists a source's pictures in a fixed order."""

"""The exported detector: reading, checking and copying bundles."""

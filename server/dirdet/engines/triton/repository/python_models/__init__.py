"""The Python models for Triton's Python backend."""

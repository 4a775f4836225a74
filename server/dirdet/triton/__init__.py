"""A bundle as a Triton model repository: what Triton is told, and what it runs."""

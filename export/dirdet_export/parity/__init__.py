"""The proof that a bundle detects what its checkpoint detects."""

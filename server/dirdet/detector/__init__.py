"""Detection in pictures."""

"""What a source's pictures are, in an order that is the same every time."""

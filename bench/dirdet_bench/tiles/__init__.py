"""Large pictures in tiles: how right the joined boxes are, and how fast they come."""

"""A request from admission through decoding and the engine to its answer."""

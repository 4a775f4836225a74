"""How speed changes with what can be larger: canvas, batch, threads, callers, proposals."""

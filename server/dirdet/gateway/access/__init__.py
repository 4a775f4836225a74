"""Keys, rate limits, TLS, CORS and security headers."""

"""Who may ask the gateway, how often, and from where: keys, rate limits, TLS, CORS and headers."""

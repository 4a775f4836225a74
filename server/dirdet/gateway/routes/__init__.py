"""The API's paths, one module each."""

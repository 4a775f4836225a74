"""HTTP: uploads, parameters, errors, the OpenAPI document, graceful shutdown."""

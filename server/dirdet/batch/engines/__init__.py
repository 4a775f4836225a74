"""The engines of a job: this process, Triton, a gateway, a Ray cluster."""

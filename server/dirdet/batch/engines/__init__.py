"""What a job computes with: this process, Triton, a gateway, a Ray cluster."""

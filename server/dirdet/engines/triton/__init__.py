"""The engine on NVIDIA Triton, and the model repository for it."""

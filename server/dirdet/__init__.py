"""What an exported detector is, and how it is served: numpy, ONNX Runtime and FastAPI, no torch."""

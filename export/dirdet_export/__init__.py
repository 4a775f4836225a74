"""Exports a checkpoint as a bundle: traceable modules, ONNX files, the RoI stage's weights, and the parity check."""

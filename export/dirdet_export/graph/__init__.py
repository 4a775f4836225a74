"""The detector as plain torch modules: traced for ONNX, and the RoI stage rebuilt from a bundle."""

"""The detector as plain torch modules that torch.onnx and TorchScript can trace."""

"""From a checkpoint to a bundle: traceable modules, ONNX, TorchScript, and the proof of parity."""

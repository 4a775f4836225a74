"""The Open Inference Protocol, version 2, over HTTP: the detector as KServe's and Triton's clients know one."""

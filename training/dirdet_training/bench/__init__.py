"""How much longer MMDetection's detectors take with DIR than without."""

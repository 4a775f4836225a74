"""The paper's tables and figures, regenerated on any COCO-format data set."""

"""The detections of one picture as a result, and in the formats of other tools; a tool is imported when needed."""

from dirdet.convert.coco import to_coco_dataset, to_coco_results
from dirdet.convert.fiftyone import to_fiftyone
from dirdet.convert.label_studio import to_label_studio
from dirdet.convert.supervision import to_supervision
from dirdet.convert.table import to_csv
from dirdet.convert.voc import to_voc
from dirdet.convert.yolo import to_yolo, yolo_yaml

__all__ = [
    "to_coco_dataset",
    "to_coco_results",
    "to_csv",
    "to_fiftyone",
    "to_label_studio",
    "to_supervision",
    "to_voc",
    "to_yolo",
    "yolo_yaml",
]

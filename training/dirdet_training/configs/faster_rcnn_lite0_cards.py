# Playing cards: the detector without DIR. It begins from the scenes' trunk:
#     dirdet train faster_rcnn_lite0_cards -o load_from=training/weights/scenes_trunk_float16.pth
_base_ = ["./_faster_rcnn_lite0.py", "./_cards_data.py", "./_pictures_schedule.py"]
custom_imports = dict(imports=["dirdet_training.mm"], allow_failed_imports=False)
model = dict(
    roi_head=dict(bbox_head=dict(num_classes=6)),
    # Of a detector with DIR; docs/results/learning.md compares them on val.
    test_cfg=dict(rcnn=dict(max_candidates=300, cluster_by="score", representative=dict(), voting=dict())),
)

# The detector without DIR, trained as its sibling with it: the baseline.
_base_ = ["./_faster_rcnn_lite0.py", "./_scenes_data.py", "./_scenes_schedule.py"]
custom_imports = dict(imports=["dirdet_training.mm"], allow_failed_imports=False)
model = dict(test_cfg=dict(rcnn=dict(max_candidates=300)))

# HTC without its semantic branch, with DIR on the last stage's boxes; needs no stuff maps.
_base_ = ["mmdet::htc/htc-without-semantic_r50_fpn_1x_coco.py", "_paper.py"]

model = dict(
    roi_head=dict(type="DIRHybridTaskCascadeRoIHead", dir_head=_base_.paper_dir_head),
    test_cfg=_base_.paper_test_cfg,
)
param_scheduler = _base_.paper_schedule

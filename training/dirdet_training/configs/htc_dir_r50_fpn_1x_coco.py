# HTC with its semantic branch (COCO's stuff maps), with DIR.
_base_ = ["mmdet::htc/htc_r50_fpn_1x_coco.py", "_paper.py"]

model = dict(
    roi_head=dict(type="DIRHybridTaskCascadeRoIHead", dir_head=_base_.paper_dir_head),
    test_cfg=_base_.paper_test_cfg,
)
param_scheduler = _base_.paper_schedule

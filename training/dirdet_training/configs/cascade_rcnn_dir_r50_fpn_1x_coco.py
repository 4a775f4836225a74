# Table 1: Cascade R-CNN with DIR on the last stage's boxes; the base is class-agnostic with smooth L1 already.
_base_ = ["mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py", "_paper.py"]

model = dict(
    roi_head=dict(type="DIRCascadeRoIHead", dir_head=_base_.paper_dir_head),
    test_cfg=_base_.paper_test_cfg,
)
param_scheduler = _base_.paper_schedule

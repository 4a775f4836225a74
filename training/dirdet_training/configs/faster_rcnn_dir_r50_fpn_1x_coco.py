# The paper's Faster R-CNN with DIR.
_base_ = ["mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py", "_paper.py"]

model = dict(
    rpn_head=_base_.paper_rpn_head,
    roi_head=dict(type="DIRStandardRoIHead", bbox_head=_base_.paper_bbox_head, dir_head=_base_.paper_dir_head),
    test_cfg=_base_.paper_test_cfg,
)
param_scheduler = _base_.paper_schedule

# Table 2: Double-Head with DIR.
_base_ = ["mmdet::double_heads/dh-faster-rcnn_r50_fpn_1x_coco.py", "_paper.py"]

model = dict(
    rpn_head=_base_.paper_rpn_head,
    roi_head=dict(
        type="DIRDoubleHeadRoIHead",
        bbox_head=dict(reg_class_agnostic=True),
        dir_head=_base_.paper_dir_head,
    ),
    test_cfg=_base_.paper_test_cfg,
)
param_scheduler = _base_.paper_schedule

# The paper's setting (section 4.2, 4.3) on MMDetection's of ResNet-50-FPN: 12 epochs, 8 GPUs of 2 pictures, flips only,
# 800/1333.
custom_imports = dict(imports=["dirdet_training.mm"], allow_failed_imports=False)

# Smooth L1 with the transition points that MMDetection used when the paper was written.
paper_rpn_head = dict(loss_bbox=dict(_delete_=True, type="SmoothL1Loss", beta=1 / 9, loss_weight=1.0))
paper_bbox_head = dict(
    reg_class_agnostic=True,
    loss_bbox=dict(_delete_=True, type="SmoothL1Loss", beta=1.0, loss_weight=1.0),
)
paper_dir_head = dict(type="DIRHead", in_channels=256, roi_size=7, fc_channels=1024)
paper_test_cfg = dict(rcnn=dict(max_candidates=300, iou_weight=0.5))
# SGD 0.02, momentum 0.9, decay 1e-4, drops at epochs 8 and 11 are MMDetection's; the warm-up is the paper's.
paper_schedule = [
    dict(type="LinearLR", start_factor=0.33, by_epoch=False, begin=0, end=500),
    dict(type="MultiStepLR", begin=0, end=12, by_epoch=True, milestones=[8, 11], gamma=0.1),
]

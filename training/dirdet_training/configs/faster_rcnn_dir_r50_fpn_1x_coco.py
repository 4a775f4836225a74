# The paper's setting (section 4.2, 4.3): ResNet-50-FPN, 12 epochs, 8 GPUs of 2 pictures, flips only, 800/1333.
_base_ = ["mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py"]
custom_imports = dict(imports=["dirdet_training.mm"], allow_failed_imports=False)

model = dict(
    # Smooth L1 with the transition points that MMDetection used when the paper was written.
    rpn_head=dict(loss_bbox=dict(_delete_=True, type="SmoothL1Loss", beta=1 / 9, loss_weight=1.0)),
    roi_head=dict(
        type="DIRStandardRoIHead",
        bbox_head=dict(
            reg_class_agnostic=True,
            loss_bbox=dict(_delete_=True, type="SmoothL1Loss", beta=1.0, loss_weight=1.0),
        ),
        dir_head=dict(type="DIRHead", in_channels=256, roi_size=7, fc_channels=1024),
    ),
    test_cfg=dict(rcnn=dict(max_candidates=300, iou_weight=0.5)),
)

# SGD 0.02, momentum 0.9, decay 1e-4, drops at epochs 8 and 11 are the base's; the warm-up is the paper's.
param_scheduler = [
    dict(type="LinearLR", start_factor=0.33, by_epoch=False, begin=0, end=500),
    dict(type="MultiStepLR", begin=0, end=12, by_epoch=True, milestones=[8, 11], gamma=0.1),
]

# TSD (CVPR 2020), the row of Table 2 without DIR.
_base_ = ["mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py"]
custom_imports = dict(imports=["dirdet_training.mm"], allow_failed_imports=False)

model = dict(
    rpn_head=dict(loss_bbox=dict(_delete_=True, type="SmoothL1Loss", beta=1 / 9, loss_weight=1.0)),
    roi_head=dict(
        type="TSDRoIHead",
        bbox_head=dict(
            reg_class_agnostic=True,
            loss_bbox=dict(_delete_=True, type="SmoothL1Loss", beta=1.0, loss_weight=1.0),
        ),
        tsd_head=dict(
            type="TSDBBoxHead",
            in_channels=256,
            num_classes=80,
            reg_class_agnostic=True,
            loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
            loss_bbox=dict(type="SmoothL1Loss", beta=1.0, loss_weight=1.0),
        ),
    ),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.33, by_epoch=False, begin=0, end=500),
    dict(type="MultiStepLR", begin=0, end=12, by_epoch=True, milestones=[8, 11], gamma=0.1),
]

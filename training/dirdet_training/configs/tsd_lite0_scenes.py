# TSD without DIR on scenes: its row beside faster_rcnn_lite0_scenes, and each of its parts left out by a setting.
_base_ = ["./faster_rcnn_lite0_scenes.py"]
model = dict(
    roi_head=dict(
        type="TSDRoIHead",
        tsd_head=dict(
            type="TSDBBoxHead",
            in_channels=64,
            fc_out_channels=256,
            offset_channels=64,
            num_classes=12,
            reg_class_agnostic=True,
            loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
            loss_bbox=dict(type="SmoothL1Loss", beta=1.0, loss_weight=1.0),
        ),
    )
)

# Double-Head with DIR on scenes: convolutions for the box, fully-connected layers for the class.
_base_ = ["./faster_rcnn_dir_lite0_scenes.py"]
model = dict(
    roi_head=dict(
        type="DIRDoubleHeadRoIHead",
        reg_roi_scale_factor=1.3,
        bbox_head=dict(
            _delete_=True,
            type="DoubleConvFCBBoxHead",
            num_convs=2,
            num_fcs=2,
            in_channels=64,
            conv_out_channels=128,
            fc_out_channels=256,
            roi_feat_size=7,
            num_classes=12,
            bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),
            reg_class_agnostic=True,
            # As published: both tasks count twice.
            loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=2.0),
            loss_bbox=dict(type="SmoothL1Loss", beta=1.0, loss_weight=2.0),
        ),
    )
)

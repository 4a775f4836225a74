# Cascade R-CNN with DIR on scenes: three stages of ever better boxes.
_base_ = ["./faster_rcnn_dir_lite0_scenes.py"]
_stage = dict(
    type="Shared2FCBBoxHead",
    in_channels=64,
    fc_out_channels=256,
    roi_feat_size=7,
    num_classes=12,
    reg_class_agnostic=True,
    loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
    loss_bbox=dict(type="SmoothL1Loss", beta=1.0, loss_weight=1.0),
)
_coder = dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4)
model = dict(
    type="CascadeRCNN",
    roi_head=dict(
        type="DIRCascadeRoIHead",
        num_stages=3,
        stage_loss_weights=[1, 0.5, 0.25],
        bbox_head=[
            dict(bbox_coder=dict(target_stds=[0.1, 0.1, 0.2, 0.2], **_coder), **_stage),
            dict(bbox_coder=dict(target_stds=[0.05, 0.05, 0.1, 0.1], **_coder), **_stage),
            dict(bbox_coder=dict(target_stds=[0.033, 0.033, 0.067, 0.067], **_coder), **_stage),
        ],
    ),
    train_cfg=dict(
        rcnn=[
            dict(
                assigner=dict(
                    type="MaxIoUAssigner",
                    pos_iou_thr=iou,
                    neg_iou_thr=iou,
                    min_pos_iou=iou,
                    match_low_quality=False,
                ),
                sampler=dict(type="RandomSampler", num=128, pos_fraction=0.25, add_gt_as_proposals=True),
                pos_weight=-1,
                debug=False,
            )
            for iou in (0.5, 0.6, 0.7)
        ]
    ),
)

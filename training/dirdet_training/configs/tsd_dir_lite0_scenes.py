# TSD with DIR on scenes.
_base_ = ["./tsd_lite0_scenes.py"]
model = dict(
    roi_head=dict(
        type="DIRTSDRoIHead",
        dir_head=dict(type="DIRHead", in_channels=64, roi_size=7, fc_channels=256),
    ),
    test_cfg=dict(rcnn=dict(iou_weight=0.5)),
)

# Table 2: TSD with DIR.
_base_ = ["./tsd_r50_fpn_1x_coco.py"]
model = dict(
    roi_head=dict(
        type="DIRTSDRoIHead",
        dir_head=dict(type="DIRHead", in_channels=256, roi_size=7, fc_channels=1024),
    ),
    test_cfg=dict(rcnn=dict(max_candidates=300, iou_weight=0.5)),
)

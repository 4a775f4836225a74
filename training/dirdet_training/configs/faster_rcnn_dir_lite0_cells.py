# The detector of cells with DIR.
_base_ = ["./faster_rcnn_lite0_cells.py"]
model = dict(
    roi_head=dict(
        type="DIRStandardRoIHead",
        # Bad boxes too, so that the iou can say so; positives alone are the paper's way.
        learns_from="candidates=2+positives=1",
        dir_head=dict(type="DIRHead", in_channels=64, roi_size=7, fc_channels=256),
    ),
    test_cfg=dict(rcnn=dict(iou_weight=0.5)),
)

# The shipped detector with the judges of Table 3 and 4 beside DIR: one training, many rows.
# They send no gradient into the detector; with test_cfg.rcnn.all_judges it reports what each of them predicts.
_base_ = ["./faster_rcnn_dir_lite0_scenes.py"]
_head = dict(in_channels=64, roi_size=7, fc_channels=256)
_foresight = dict(training="proposal", inference="proposal")
model = dict(
    roi_head=dict(
        judges=dict(
            iou=dict(type="IoUHead", **_head),
            iou_3x=dict(type="IoUHead", **_head),
            foresight_iou=dict(type="IoUHead", sights=_foresight, **_head),
            foresight=dict(type="DIRHead", sights=_foresight, **_head),
        )
    )
)
# Eq. 9 sums three losses: the single branch gets three times the rate for comparison (Table 3).
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={"judges.iou_3x": dict(lr_mult=3.0)}))

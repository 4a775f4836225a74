# The paper's detector with the judges of Tables 3 and 4 and what IoU-NMS, Rank-NMS and Fitness NMS need beside DIR.
# They send no gradient into the detector: one training, many rows.
_base_ = ["./faster_rcnn_dir_r50_fpn_1x_coco.py"]
_head = dict(in_channels=256, roi_size=7, fc_channels=1024)
_foresight = dict(training="proposal", inference="proposal")
model = dict(
    roi_head=dict(
        judges=dict(
            iou=dict(type="IoUHead", **_head),
            iou_3x=dict(type="IoUHead", **_head),
            foresight_iou=dict(type="IoUHead", sights=_foresight, **_head),
            foresight=dict(type="DIRHead", sights=_foresight, **_head),
            iou_net=dict(type="IoUNetHead", num_classes=80, sights=dict(training="jittered"), **_head),
            rank=dict(type="RankHead", **_head),
            fitness=dict(type="FitnessHead", **_head),
        )
    )
)
# Eq. 9 sums three losses: the single branch gets three times the rate for comparison (Table 3).
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={"judges.iou_3x": dict(lr_mult=3.0)}))

# The shipped detector with what IoU-NMS, Rank-NMS and Fitness NMS need beside DIR; they send no gradient into it.
_base_ = ["./faster_rcnn_dir_lite0_scenes_judges.py"]
_head = dict(in_channels=64, roi_size=7, fc_channels=256)
model = dict(
    roi_head=dict(
        judges=dict(
            iou_net=dict(type="IoUNetHead", num_classes=12, sights=dict(training="jittered"), **_head),
            rank=dict(type="RankHead", **_head),
            fitness=dict(type="FitnessHead", **_head),
        )
    )
)

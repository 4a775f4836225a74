# Table 2: deformable convolutions in the backbone's last three stages.
_base_ = ["./faster_rcnn_dir_r50_fpn_1x_coco.py"]
model = dict(
    backbone=dict(
        dcn=dict(type="DCN", deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, True, True, True),
    )
)

# Table 2: deformable convolutions with modulation in the backbone's last three stages.
_base_ = ["./faster_rcnn_dir_r50_fpn_1x_coco.py"]
model = dict(
    backbone=dict(
        dcn=dict(type="DCNv2", deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, True, True, True),
    )
)

# Table 6.
_base_ = ["./mask_rcnn_dir_r50_fpn_1x_coco.py"]
model = dict(backbone=dict(depth=101, init_cfg=dict(type="Pretrained", checkpoint="torchvision://resnet101")))

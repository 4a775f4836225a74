# Faster R-CNN with DIR and deformable convolutions on scenes. Lite0's own convolutions are depthwise, so the pyramid's
# 3x3 ones deform instead of the backbone's. FPN's own initialisation would reach the layers that predict the offsets,
# which have to begin with none.
_base_ = ["./faster_rcnn_dir_lite0_scenes.py"]
model = dict(neck=dict(conv_cfg=dict(type="DCNv2", deform_groups=1), init_cfg=None))

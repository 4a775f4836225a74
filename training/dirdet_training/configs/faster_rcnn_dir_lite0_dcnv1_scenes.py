# Faster R-CNN with DIR and deformable convolutions without modulation (the paper's DCN) on scenes, in the pyramid as in
# faster_rcnn_dir_lite0_dcnv2_scenes.
_base_ = ["./faster_rcnn_dir_lite0_scenes.py"]
model = dict(neck=dict(conv_cfg=dict(type="DCN", deform_groups=1), init_cfg=None))

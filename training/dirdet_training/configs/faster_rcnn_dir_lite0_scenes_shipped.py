# The shipped detector of scenes, as it is exported: docs/results/shipped.md has what val says of proposals and voting.
_base_ = ["./faster_rcnn_dir_lite0_scenes.py"]
model = dict(
    test_cfg=dict(rpn=dict(max_per_img=200), rcnn=dict(cluster_by="score", representative=dict(), voting=dict())),
)

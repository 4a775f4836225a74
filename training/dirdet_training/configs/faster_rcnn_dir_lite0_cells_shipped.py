# The shipped detector of cells, as it is exported: docs/results/shipped.md has what val says of proposals.
_base_ = ["./faster_rcnn_dir_lite0_cells.py"]
model = dict(test_cfg=dict(rpn=dict(max_per_img=200)))

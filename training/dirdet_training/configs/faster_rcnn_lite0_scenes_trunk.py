# A long run at a constant rate, from whose weights detectors with and without DIR can start and share what it cost:
#     dirdet train faster_rcnn_dir_lite0_scenes -o load_from=work_dirs/faster_rcnn_lite0_scenes_trunk/iter_3000.pth
_base_ = ["./faster_rcnn_lite0_scenes.py"]
model = dict(backbone=dict(frozen_stages=2))
train_cfg = dict(max_iters=3000, val_interval=3001)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=60),
]
default_hooks = dict(checkpoint=dict(interval=100))

# A long run at a constant rate. Detectors with and without DIR start from its weights and share what it cost;
# they alone let the rate fall.
_base_ = ["./faster_rcnn_lite0_scenes.py"]
model = dict(backbone=dict(frozen_stages=2))
train_cfg = dict(max_iters=3000, val_interval=3001)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=60),
]
default_hooks = dict(checkpoint=dict(interval=100))

# Pictures without an up and a down: all flips, and changed colours.
_resize = dict(type="Resize", scale=(320, 256), keep_ratio=True, backend="pillow")
turned_train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations", with_bbox=True),
    _resize,
    dict(type="RandomFlip", prob=[0.25, 0.25, 0.25], direction=["horizontal", "vertical", "diagonal"]),
    dict(type="PhotoMetricDistortion"),
    dict(type="PackDetInputs"),
]

# Nuclei under many microscopes, as tiles of one size (docs/results/real_pictures.md has the commands).
_base_ = ["./_scenes_data.py", "./_turned_pipeline.py"]
data_root = "data/nuclei/tiles/"
metainfo = dict(classes=("nucleus",))
_data = dict(data_root=data_root, metainfo=metainfo)
train_dataloader = dict(batch_size=4, dataset=dict(**_data, pipeline=_base_.turned_train_pipeline))
val_dataloader = dict(dataset=_data)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + "annotations/val.json")
test_evaluator = val_evaluator

# Photographs of playing cards, six ranks (docs/results/real_pictures.md has the commands).
_base_ = ["./_scenes_data.py"]
data_root = "data/cards/"
metainfo = dict(classes=("ace", "jack", "king", "nine", "queen", "ten"))
_data = dict(data_root=data_root, metainfo=metainfo, data_prefix=dict(img="images/"))
train_dataloader = dict(batch_size=4, dataset=_data)
val_dataloader = dict(dataset=_data)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + "annotations/val.json")
test_evaluator = val_evaluator

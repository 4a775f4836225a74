# Table 6: HTC with ResNeXt-101-FPN-DCN, 20 epochs and multi-scale as MMDetection documents it, with DIR.
_base_ = ["mmdet::htc/htc_x101-64x4d-dconv-c3-c5_fpn_ms-400-1400-16xb1-20e_coco.py"]
custom_imports = dict(imports=["dirdet_training.mm"], allow_failed_imports=False)

# The base says 1; the paper's 8 GPUs see 16.
train_dataloader = dict(batch_size=2)
model = dict(
    roi_head=dict(
        type="DIRHybridTaskCascadeRoIHead",
        dir_head=dict(type="DIRHead", in_channels=256, roi_size=7, fc_channels=1024),
    ),
    test_cfg=dict(rcnn=dict(max_candidates=300, iou_weight=0.5)),
)

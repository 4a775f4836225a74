"""Configs of small detectors of kinds that are no Faster R-CNN; two kinds in one detector where one allows."""

from mmengine.config import Config
from specimens import CLASS_SPECIFIC_CASCADE_CONFIG, PLAIN_CONFIG

# An eighth as wide as ResNet-18.
WIDE = "depth=18),\n    neck=dict(in_channels=[64, 128, 256, 512],"
THIN = "depth=18, base_channels=8, stem_channels=8),\n    neck=dict(in_channels=[8, 16, 32, 64],"
PLAIN, CASCADE = (text.replace(WIDE, THIN) for text in (PLAIN_CONFIG, CLASS_SPECIFIC_CASCADE_CONFIG))

GUIDED = PLAIN.replace("faster_rcnn/faster-rcnn", "guided_anchoring/ga-faster-rcnn")
GROIE_CARAFE = (
    PLAIN.replace("faster_rcnn/faster-rcnn_r50_fpn_1x", "carafe/mask-rcnn_r50_fpn-carafe_1x")
    + """
model["roi_head"].update(
    bbox_roi_extractor=dict(
        type="GenericRoIExtractor", aggregation="sum", out_channels=32, roi_layer=dict(sampling_ratio=2),
        pre_cfg=dict(type="ConvModule", in_channels=32, out_channels=32, kernel_size=5, padding=2, inplace=False),
        post_cfg=dict(
            type="GeneralizedAttention", in_channels=32, spatial_range=-1, num_heads=3, attention_type="0100",
            kv_stride=2,
        ),
    ),
    mask_roi_extractor=dict(out_channels=32),
    mask_head=dict(in_channels=32, conv_out_channels=16, num_classes=5, upsample_cfg=dict(compressed_channels=8)),
)
"""
)
_SIDES = CASCADE.replace("cascade_rcnn/cascade", "sabl/sabl-cascade").partition("_stage")
SABL = (
    _SIDES[0]
    + """
_stage = dict(
    type="SABLHead", num_classes=5, cls_in_channels=32, reg_in_channels=32, cls_out_channels=64,
    reg_offset_out_channels=32, reg_cls_out_channels=32, loss_cls=dict(type="CrossEntropyLoss"),
)
_coder = dict(type="BucketingBBoxCoder", num_buckets=14)
"""
    + ("model = dict" + _SIDES[2].partition("model = dict")[2])
    .replace("target_stds=[deviation, deviation, 2 * deviation, 2 * deviation]", "scale_factor=deviation")
    .replace("(0.1, 0.05, 0.033)", "(1.7, 1.5, 1.3)")
)
SCNET = (
    CASCADE.replace("cascade_rcnn/cascade-rcnn", "scnet/scnet")
    .replace("Shared2FCBBoxHead", "SCNetBBoxHead")
    .replace("roi_feat_size=7", "roi_feat_size=7, num_shared_fcs=2")
    + """
model["roi_head"].update(
    mask_roi_extractor=dict(out_channels=32),
    mask_head=dict(num_convs=2, in_channels=32, conv_out_channels=32, num_classes=5),
    semantic_roi_extractor=dict(out_channels=32),
    semantic_head=dict(in_channels=32, conv_out_channels=32),
    glbctx_head=dict(in_channels=32, conv_out_channels=32, num_classes=5),
    feat_relay_head=dict(in_channels=64, out_conv_channels=32),
)
"""
)
# Of its three steps the first is left out, and the last refines a quarter of the points.
POINT_REND = (
    PLAIN.replace("faster_rcnn/faster-rcnn_r50_fpn_1x", "point_rend/point-rend_r50-caffe_fpn_ms-1x")
    + """
model["roi_head"].update(
    mask_roi_extractor=dict(out_channels=32),
    mask_head=dict(in_channels=32, conv_out_channels=16, fc_out_channels=64, num_classes=5),
    point_head=dict(in_channels=32, fc_channels=32, num_classes=5),
)
model["test_cfg"]["rcnn"].update(subdivision_steps=3)
"""
)


def _guided_sides() -> str:
    """The cascade of SABL's heads on the anchors of Guided Anchoring."""
    sides, guided = (Config.fromstring(text, ".py") for text in (SABL, GUIDED))
    sides.model.rpn_head = guided.model.rpn_head
    for name in ("train_cfg", "test_cfg"):
        sides.model[name].rpn = guided.model[name].rpn
    sides.model.train_cfg.rpn_proposal = guided.model.train_cfg.rpn_proposal
    return sides.pretty_text


KINDS = {
    "guided anchors and sides of boxes": _guided_sides(),
    "groie and carafe": GROIE_CARAFE,
    "scnet": SCNET,
    "point rend": POINT_REND,
}

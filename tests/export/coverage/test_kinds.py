"""Small detectors of kinds that are no Faster R-CNN: retrofitted and exported with parity."""

from pathlib import Path

import pytest
from specimens import CLASS_SPECIFIC_CASCADE_CONFIG, PLAIN_CONFIG

from dirdet_export.coverage.outcome import YES
from dirdet_export.coverage.trial import try_config

GUIDED = PLAIN_CONFIG.replace("faster_rcnn/faster-rcnn", "guided_anchoring/ga-faster-rcnn")
GROIE = (
    PLAIN_CONFIG.replace("faster_rcnn/faster-rcnn_r50_fpn_1x", "groie/faste-rcnn_r50_fpn_groie_1x")
    + """
model["roi_head"]["bbox_roi_extractor"].update(
    pre_cfg=dict(in_channels=32, out_channels=32), post_cfg=dict(in_channels=32, num_heads=3)
)
"""
)
CARAFE = (
    PLAIN_CONFIG.replace("faster_rcnn/faster-rcnn_r50_fpn_1x", "carafe/mask-rcnn_r50_fpn-carafe_1x")
    + """
model["roi_head"].update(
    mask_roi_extractor=dict(out_channels=32),
    mask_head=dict(in_channels=32, conv_out_channels=16, num_classes=5, upsample_cfg=dict(compressed_channels=8)),
)
"""
)
SIDES = CLASS_SPECIFIC_CASCADE_CONFIG.replace("cascade_rcnn/cascade", "sabl/sabl-cascade").partition("_stage")
SABL = (
    SIDES[0]
    + """
_stage = dict(
    type="SABLHead", num_classes=5, cls_in_channels=32, reg_in_channels=32, cls_out_channels=64,
    reg_offset_out_channels=32, reg_cls_out_channels=32, loss_cls=dict(type="CrossEntropyLoss"),
)
_coder = dict(type="BucketingBBoxCoder", num_buckets=14)
"""
    + ("model = dict" + SIDES[2].partition("model = dict")[2])
    .replace("target_stds=[deviation, deviation, 2 * deviation, 2 * deviation]", "scale_factor=deviation")
    .replace("(0.1, 0.05, 0.033)", "(1.7, 1.5, 1.3)")
)
SCNET = (
    CLASS_SPECIFIC_CASCADE_CONFIG.replace("cascade_rcnn/cascade-rcnn", "scnet/scnet")
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


@pytest.mark.parametrize(
    "text",
    [GUIDED, GROIE, CARAFE, SABL, SCNET],
    ids=["guided anchoring", "groie", "carafe", "sabl", "scnet"],
)
def test_a_kind_retrofits_and_exports_with_parity(text: str, tmp_path: Path) -> None:
    config, work = tmp_path / "mine.py", tmp_path / "work"
    config.write_text(text)
    work.mkdir()
    outcome = try_config("mine", config, work)
    assert (outcome.retrofit, outcome.export) == (YES, YES)
    assert outcome.detections >= 50

"""Converts RPN heads: with anchors on a grid, and with those of Guided Anchoring."""

# First: the plug-in provides the mmcv operators that MMDetection imports.
from dirdet_export.dissect.mmdet_settings import read_proposal_limits

# isort: split
from dataclasses import asdict
from typing import Any

from mmdet.models import GARPNHead, RPNHead
from mmdet.models.task_modules import AnchorGenerator
from mmdet.models.task_modules.prior_generators.anchor_generator import LegacyAnchorGenerator
from torch import nn

from dirdet_export.dissect.supported import read_decoder, require, require_type
from dirdet_export.graph.boxes import BoxDecoder
from dirdet_export.graph.deformable import DeformableConv, Geometry
from dirdet_export.graph.guided_anchors import GuidedProposals
from dirdet_export.graph.guided_head import GuidedHead
from dirdet_export.graph.proposals import Proposals

# The `wh_ratio_clip` of the anchors' shapes in MMDetection's GuidedAnchorHead.
LEAST_ANCHOR_RATIO = 1e-6


def read_rpn_head(rpn: Any) -> nn.Module:  # noqa: ANN401
    """The trunk's part of an RPN head: levels to objectness and deltas."""
    if not isinstance(rpn, GARPNHead):
        return rpn
    convolution = rpn.feature_adaption.conv_adaption
    geometry = Geometry(
        convolution.stride, convolution.padding, convolution.dilation, convolution.groups, convolution.deform_groups
    )
    return GuidedHead(
        entry=rpn.rpn_conv,
        location=rpn.conv_loc,
        shape=rpn.conv_shape,
        adaption=DeformableConv(
            weight=convolution.weight,
            bias=None,
            offsets=rpn.feature_adaption.conv_offset,
            geometry=geometry,
            modulated=False,
        ),
        classes=_unmasked(rpn.conv_cls),
        boxes=_unmasked(rpn.conv_reg),
        location_threshold=float(rpn.loc_filter_thr),
    )


def _unmasked(part: Any) -> nn.Conv2d:  # noqa: ANN401
    """A plain convolution in place of mmcv's MaskedConv2d, which leaves out what has no anchor."""
    layer = nn.Conv2d(part.in_channels, part.out_channels, part.kernel_size, padding=part.padding)
    layer.weight, layer.bias = part.weight, part.bias
    return layer


def read_proposals(rpn: Any) -> Proposals:  # noqa: ANN401
    """The RoI stage's part of an RPN head: objectness and deltas to proposals.

    Raises:
        UnsupportedError: the architecture or a setting cannot be reproduced.
    """
    require_type(rpn, RPNHead, GARPNHead, name="rpn_head")
    require(rpn.cls_out_channels, 1, name="rpn_head classes (sigmoid)")
    guided = isinstance(rpn, GARPNHead)
    generator = rpn.square_anchor_generator if guided else rpn.prior_generator
    require_type(generator, AnchorGenerator, LegacyAnchorGenerator, name="rpn_head.anchor_generator")
    settings: dict[str, Any] = {
        "base_anchors": generator.base_anchors,
        "strides_wh": [(int(width), int(height)) for width, height in generator.strides],
        "decoder": read_decoder(rpn.bbox_coder, name="rpn_head.bbox_coder"),
        **asdict(read_proposal_limits(rpn.test_cfg)),
    }
    if not guided:
        return Proposals(**settings)
    require(rpn.num_base_priors, 1, name="base anchors of Guided Anchoring's square_anchor_generator")
    require(bool(rpn.test_cfg.get("nms_across_levels", False)), False, name="test_cfg.rpn.nms_across_levels")
    most = int(rpn.test_cfg.nms_post)
    require(most >= settings["keep"], True, name="a test_cfg.rpn.nms_post of at least max_per_img")
    coder = read_decoder(rpn.anchor_coder, name="rpn_head.anchor_coder")
    shapes = BoxDecoder(
        means=coder.means.tolist(), stds=coder.stds.tolist(), clip=False, least_ratio=LEAST_ANCHOR_RATIO
    )
    return GuidedProposals(anchor_decoder=shapes, **settings)

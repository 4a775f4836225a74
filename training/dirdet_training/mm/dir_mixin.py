"""DIR for any of MMDetection's two-stage RoI heads: what judges learn from, what they judge, and the ranked NMS."""

# The mixin calls what the head beside it brings, and torch's modules type their parts as Tensor | Module.
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false

from itertools import accumulate
from typing import Any, NamedTuple

import torch
from mmdet.structures.bbox import bbox2roi, scale_boxes
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor, nn

from dirdet_training.combination import localization_confidence
from dirdet_training.mm.judges import SEEN, SIGHTS, Sight, build_judges, judge_losses, kind_of
from dirdet_training.mm.positives import Positives, positives_of
from dirdet_training.nms import confidence, ranked_nms

Pyramid = tuple[Tensor, ...]

# M where a config does not say.
DEFAULT_MAX_CANDIDATES = 300


class DIRMixin:
    """Adds the DIR head, and on demand further judges, to a two-stage detector's RoI head.

    A detector brings what truly differs: it calls `remember` from its `bbox_loss` and `rank` from its `predict_bbox`,
    and pools `box_features` where its own box head would.

    Settings in test_cfg beside the detector's own:
        max_candidates: M, the best scored pairs of box and class that are judged; 300 unless told.
        iou_weight: w of the confidence; 0.5 unless told, 0 is the plain detector.
        combination: what of purity and integrity stands for the iou in the confidence (Table 5); "iou" (Eq. 5).
        all_judges: give what every judge says at both sights, as `NAME/SIGHT/FIELD`; "dir" is the head that ranks.
            Each detection then has `proposals` too, the box that it was regressed from.
    """

    def __init__(
        self,
        *,
        dir_head: dict[str, Any],
        sights: dict[str, Sight] | None = None,
        judges: dict[str, dict[str, Any]] | None = None,
        **settings: Any,  # noqa: ANN401
    ) -> None:
        """Builds the detector's own head from its settings, and the judges beside it.

        Args:
            dir_head: the head that ranks, trained end to end with the detector (section 3.4).
            sights: where it looks in training and in inference; on the refined boxes unless told (Table 4).
            judges: further heads by name, each with optional `sights` of its own; they learn from the same positives
                on features that send no gradient back, so that the detector is the same with and without them.
            **settings: the detector's.
        """
        super().__init__(**settings)
        self.dir_head, self.judges, self.sights = build_judges(dir_head, sights, judges)

    def box_features(self, x: Pyramid, boxes_xyxy: list[Tensor]) -> Tensor:
        """Features pooled on boxes: on refined ones, hindsight (section 3.3).

        Args:
            x: pyramid of [B, C, H_l, W_l].
            boxes_xyxy: one [N_b, 4] a picture, pixels of the canvas.

        Returns:
            [sum N_b, C, roi_size, roi_size].
        """
        features = self.bbox_roi_extractor(x[: self.bbox_roi_extractor.num_inputs], bbox2roi(boxes_xyxy))
        return self.shared_head(features) if self.with_shared_head else features

    def remember(self, bbox_head: nn.Module, sampling_results: list[Any], bbox_preds: Tensor) -> None:
        """Takes note of the last boxes that a training step regressed, for the judges to learn from."""
        self._positives = positives_of(bbox_head, sampling_results, bbox_preds, self._picture_hws)

    def loss(self, x: Pyramid, rpn_results_list: list[InstanceData], batch_data_samples: list[Any]) -> dict[str, Any]:
        """The detector's losses and the three of Eq. 9."""
        losses, positives = self.detector_losses(x, rpn_results_list, batch_data_samples)
        return {**losses, **self._judge_losses(x, positives)}

    def detector_losses(
        self, x: Pyramid, rpn_results_list: list[InstanceData], batch_data_samples: list[Any]
    ) -> tuple[dict[str, Any], Positives]:
        """The losses of the detector without DIR, and the positives that judges learn from."""
        # bbox_loss, which knows the sampled boxes, is not told where the pictures end.
        self._picture_hws = [sample.img_shape for sample in batch_data_samples]
        self._positives = Positives.none(len(batch_data_samples), x[0])
        losses, positives = super().loss(x, rpn_results_list, batch_data_samples), self._positives
        del self._positives, self._picture_hws
        return losses, positives

    def _judge_losses(self, x: Pyramid, positives: Positives) -> dict[str, Tensor]:
        """loss_purity, loss_integrity, loss_iou of the DIR head and NAME.loss_FIELD of every further judge."""
        wanted = {sights.training for sights in self.sights.values()}
        if "jittered" in wanted:
            positives = positives.jittered()
        features = {sight: self.box_features(x, getattr(positives, SEEN[sight])) for sight in SEEN if sight in wanted}
        return judge_losses(self._all_judges(), self.sights, features, positives)

    def _all_judges(self) -> dict[str, nn.Module]:
        return {"dir": self.dir_head, **self.judges}

    def rank(
        self,
        x: Pyramid,
        raw: list[InstanceData],
        proposals_xyxy: list[Tensor],
        batch_img_metas: list[dict[str, Any]],
        rcnn_test_cfg: ConfigDict,
        *,
        rescale: bool,
    ) -> list[InstanceData]:
        """Judges the best candidates of every picture and suppresses by confidence.

        Args:
            x: pyramid of [B, C, H_l, W_l].
            raw: a picture's refined boxes [R, 4] or, class-specific, [R, 4 * classes] in pixels of the canvas, and
                probabilities [R, classes + 1], the last the background's.
            proposals_xyxy: what they were regressed from, one [R, 4] a picture.
            batch_img_metas: MMDetection's facts about each picture.
            rcnn_test_cfg: score_thr, nms.iou_threshold, max_per_img, and the mixin's own settings.
            rescale: give boxes in the picture's own pixels.

        Returns:
            A picture's bboxes [D, 4], labels [D] and scores [D] (the confidence), highest first, with class_scores,
            ious and, from a DIR head, purity and integrity [D].
        """
        candidates = [
            _candidates(result, proposals, rcnn_test_cfg) for result, proposals in zip(raw, proposals_xyxy, strict=True)
        ]
        everything = rcnn_test_cfg.get("all_judges", False)
        self._judge(x, candidates, everything=everything)
        results: list[InstanceData] = []
        for result, meta in zip(candidates, batch_img_metas, strict=True):
            del result.box_ids
            if not everything:
                del result.proposals
            rated = localization_confidence(
                rcnn_test_cfg.get("combination", "iou"), result.ious, result.get("purity"), result.get("integrity")
            )
            result.scores = confidence(result.class_scores, rated, rcnn_test_cfg.get("iou_weight", 0.5))
            if rescale and len(result):
                factors = [1 / factor for factor in meta["scale_factor"]]
                result.bboxes = scale_boxes(result.bboxes, factors)
                if everything:
                    result.proposals = scale_boxes(result.proposals, factors)
            kept = ranked_nms(
                result.bboxes, result.scores, result.labels, iou_threshold=rcnn_test_cfg.nms.iou_threshold
            )
            results.append(result[kept[: rcnn_test_cfg.max_per_img]])
        return results

    def _judge(self, x: Pyramid, candidates: list[InstanceData], *, everything: bool) -> None:
        """Adds to candidates what the DIR head says of them; with everything, also every judge at every sight.

        Candidates of several classes may share a box, which is looked at once.
        """
        boxes = [distinct(result.box_ids) for result in candidates]
        seen: dict[Sight, list[Tensor]] = {
            "refined": [result.bboxes[box.first] for result, box in zip(candidates, boxes, strict=True)],
            "proposal": [result.proposals[box.first] for result, box in zip(candidates, boxes, strict=True)],
        }
        starts = accumulate([len(box.first) for box in boxes], initial=0)
        places = torch.cat([box.places + start for box, start in zip(boxes, starts, strict=False)])  # [sum N_b]
        wanted: tuple[Sight, ...] = SIGHTS if everything else (self.sights["dir"].inference,)
        sizes = [len(result) for result in candidates]
        class_ids = torch.cat([result.labels for result in candidates])
        for sight in wanted:
            features = self.box_features(x, seen[sight])
            for name, head in (self._all_judges() if everything else {"dir": self.dir_head}).items():
                main = name == "dir" and sight == self.sights["dir"].inference
                logits = head(features)
                said = tuple(part[places] for part in logits) if isinstance(logits, tuple) else logits[places]
                for field, values in kind_of(head).says(said, class_ids).items():
                    for result, part in zip(candidates, values.split(sizes), strict=True):
                        if main:
                            result.set_field(part, field)
                        if everything:
                            result.set_field(part, f"{name}/{sight}/{field}")


def _candidates(raw: InstanceData, proposals_xyxy: Tensor, rcnn_test_cfg: ConfigDict) -> InstanceData:
    """The M best scored pairs of refined box and class above the threshold, best first."""
    scores = raw.scores[:, :-1]  # [R, classes]
    classes = scores.shape[1]
    flat = scores.flatten()  # [R * classes]
    count = min(
        rcnn_test_cfg.get("max_candidates", DEFAULT_MAX_CANDIDATES), int((flat > rcnn_test_cfg.score_thr).sum())
    )
    best, index = flat.topk(count)
    boxes = raw.bboxes.view(len(scores), raw.bboxes.shape[1] // 4, 4)  # [R, 1 or classes, 4]
    columns = index % classes
    rows = index // classes
    return InstanceData(
        bboxes=boxes[rows, columns if boxes.shape[1] > 1 else 0],
        proposals=proposals_xyxy[rows],
        box_ids=rows if boxes.shape[1] == 1 else index,
        labels=columns,
        class_scores=best.float(),
    )


class Distinct(NamedTuple):
    """Distinct values among N.

    Attributes:
        first: [U], an index of each, where it stands.
        places: [N], which of the U each is.
    """

    first: Tensor
    places: Tensor


def distinct(values: Tensor) -> Distinct:
    """The distinct ones among integers [N]."""
    found, places = values.unique(return_inverse=True)
    order = torch.arange(len(values), device=values.device)
    return Distinct(order.new_zeros(len(found)).scatter_(0, places, order), places)

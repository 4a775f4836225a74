"""Adds DIR to MMDetection's two-stage RoI heads: training the judges, judging candidates, and the ranked NMS."""

# The mixin calls methods of the head it is combined with, and torch types a module's parts as Tensor | Module.
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false

from itertools import accumulate
from typing import Any, NamedTuple

import torch
from mmdet.structures.bbox import bbox2roi, scale_boxes
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor, nn

from dirdet_training.mm.examples import Examples, Refined, candidates_of, positives_of
from dirdet_training.mm.head_samples import LearningError, LearnsFrom, Seen
from dirdet_training.mm.judges import SEEN, SIGHTS, Sight, build_judges, judge_losses, kind_of
from dirdet_training.nms import Selection
from dirdet_training.nms.combination import localization_confidence

Pyramid = tuple[Tensor, ...]

# M of a config that does not set it.
DEFAULT_MAX_CANDIDATES = 300


def most_detections(rcnn_test_cfg: Any) -> int | None:  # noqa: ANN401
    """The most detections of a picture, by max_per_img and the NMS' own max_num; None without a limit."""
    limits = (int(rcnn_test_cfg.max_per_img), int(rcnn_test_cfg.nms.get("max_num", -1)))
    return min((limit for limit in limits if limit > 0), default=None)


class DIRMixin:
    """Adds the DIR head, and optionally further judges, to a two-stage detector's RoI head.

    A subclass calls `remember` from its `bbox_loss` and `rank` from its `predict_bbox`, and overrides `box_features` if
    its box head pools features in another way.

    Settings in test_cfg beside the detector's own:
        max_candidates: M, the number of pairs of box and class with the highest scores that are judged; 300 by default.
        iou_weight, cluster_by, representative, voting, report_by: the ranked NMS (Selection); the paper's by default.
        combination: the function of purity and integrity that replaces the iou in the confidence (Table 5); "iou" by
            default (Eq. 5).
        all_judges: return the predictions of every judge at both sights, as `NAME/SIGHT/FIELD`; "dir" is the head that
            ranks. Each detection then also has `proposals`, the box that it was regressed from.
    """

    def __init__(
        self,
        *,
        dir_head: dict[str, Any],
        sights: dict[str, Sight] | None = None,
        judges: dict[str, dict[str, Any]] | None = None,
        learns_from: str | dict[str, Any] | None = None,
        **settings: Any,  # noqa: ANN401
    ) -> None:
        """Builds the detector's own head from its settings, and the judges.

        Args:
            dir_head: the head that ranks, trained end to end with the detector (section 3.4).
            sights: the boxes on which it pools features in training and in inference; the refined boxes by default
                (Table 4).
            judges: further heads by name, each with optional `sights` of its own; they are trained on the same boxes,
                and send no gradient back into the features. The trained detector still differs slightly from one
                without them, because their gradients are part of the norm that is clipped, and because they draw from
                the random generator.
            learns_from: the boxes that train the head that ranks and the judges (LearnsFrom); positives by default.
            **settings: the detector's settings.

        Raises:
            LearningError: the mixture is unknown, or a judge cannot be trained on it.
        """
        super().__init__(**settings)
        self.dir_head, self.judges, self.sights = build_judges(dir_head, sights, judges)
        self.learns_from = LearnsFrom.of(learns_from)
        if not self.learns_from.is_paper:
            jittered = [name for name, sights in self.sights.items() if sights.training == "jittered"]
            if jittered:
                raise LearningError(
                    f"judge {jittered[0]!r} jitters the objects of positives (IoU-Net); learns_from must be positives"
                )

    def box_features(self, x: Pyramid, boxes_xyxy: list[Tensor]) -> Tensor:
        """Pools features on boxes; on refined boxes this is hindsight (section 3.3).

        Args:
            x: pyramid of [B, C, H_l, W_l].
            boxes_xyxy: one [N_b, 4] for each picture, pixels of the canvas.

        Returns:
            [sum N_b, C, roi_size, roi_size].
        """
        features = self.bbox_roi_extractor(x[: self.bbox_roi_extractor.num_inputs], bbox2roi(boxes_xyxy))
        return self.shared_head(features) if self.with_shared_head else features

    def remember(self, bbox_head: nn.Module, sampling_results: list[Any], predicted: dict[str, Tensor]) -> None:
        """Stores the last boxes that a training step regressed; the judges are trained on them.

        Args:
            bbox_head: the head that made the predictions.
            sampling_results: one for each picture.
            predicted: `bbox_pred` and `cls_score` of all sampled proposals, one picture after another.
        """
        deltas: Any = predicted["bbox_pred"]
        if not isinstance(deltas, Tensor):
            kind = type(bbox_head).__name__
            raise LearningError(f"DIR is trained on a frozen {kind} alone (--retrofit): its boxes are no deltas")
        self._positives = positives_of(bbox_head, sampling_results, deltas, self._picture_hws)
        if self.learns_from.candidates:
            self._candidates = candidates_of(
                bbox_head,
                sampling_results,
                predicted["cls_score"],
                deltas,
                self._picture_hws,
                score_threshold=self.test_cfg.score_thr,
            )

    def loss(self, x: Pyramid, rpn_results_list: list[InstanceData], batch_data_samples: list[Any]) -> dict[str, Any]:
        """Computes the detector's losses and the three losses of Eq. 9."""
        losses, seen = self.detector_losses(x, rpn_results_list, batch_data_samples)
        return {**losses, **self.judge_losses(x, self.learns_from.draw(seen))}

    def detector_losses(
        self, x: Pyramid, rpn_results_list: list[InstanceData], batch_data_samples: list[Any]
    ) -> tuple[dict[str, Any], Seen]:
        """Computes the losses of the detector without DIR, and collects the boxes that judges may be trained on."""
        # bbox_loss has the sampled boxes but not the sizes of the pictures, so they are stored here.
        self._picture_hws = [sample.img_shape for sample in batch_data_samples]
        self._positives = Examples.none(len(batch_data_samples), x[0])
        nothing = x[0].new_zeros(0, 4)
        self._candidates = [Refined(nothing, nothing)] * len(batch_data_samples)
        losses = super().loss(x, rpn_results_list, batch_data_samples)
        seen = Seen.of(batch_data_samples, self._positives, self._candidates)
        del self._positives, self._candidates, self._picture_hws
        return losses, seen

    def judge_losses(self, x: Pyramid, examples: Examples) -> dict[str, Tensor]:
        """Computes loss_purity, loss_integrity, loss_iou of the DIR head and NAME.loss_FIELD of every further judge."""
        wanted = {sights.training for sights in self.sights.values()}
        if "jittered" in wanted:
            examples = examples.jittered()
        features = {sight: self.box_features(x, getattr(examples, SEEN[sight])) for sight in SEEN if sight in wanted}
        return judge_losses(self._all_judges(), self.sights, features, examples)

    @property
    def positive_iou(self) -> float:
        """The least IoU with an object of the last stage's positives in training."""
        assigners = self.bbox_assigner
        return float((assigners[-1] if isinstance(assigners, list) else assigners).pos_iou_thr)

    def candidates_in(self, raw: InstanceData, proposals_xyxy: Tensor, rcnn_test_cfg: ConfigDict) -> InstanceData:
        """Selects the M pairs of refined box and class with the highest scores above the threshold, highest first.

        An iou_weight of 0 is the plain detector, for which there is no M.

        Args:
            raw: a picture's boxes and probabilities, as in `rank`; if it has factors [R], scores are their products.
            proposals_xyxy: [R, 4], the boxes that they were regressed from.
            rcnn_test_cfg: has score_thr and max_candidates.
        """
        scores = raw.scores[:, :-1]  # [R, classes]
        classes = scores.shape[1]
        above = scores > rcnn_test_cfg.score_thr
        count = int(above.sum())
        if "factors" in raw:
            # SABL's: how sure the head is of the box.
            scores = scores * raw.factors.unsqueeze(1)
        flat = torch.where(above, scores, -1.0).flatten()  # [R * classes]
        if rcnn_test_cfg.get("iou_weight", Selection.iou_weight) > 0:
            count = min(count, rcnn_test_cfg.get("max_candidates", DEFAULT_MAX_CANDIDATES))
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
        """Judges the best candidates of every picture and applies the ranked NMS to them.

        Args:
            x: pyramid of [B, C, H_l, W_l].
            raw: a picture's refined boxes [R, 4] or, class-specific, [R, 4 * classes] in pixels of the canvas, and
                probabilities [R, classes + 1], of which the last is the background's.
            proposals_xyxy: the boxes that they were regressed from, one [R, 4] for each picture.
            batch_img_metas: MMDetection's metadata of each picture.
            rcnn_test_cfg: score_thr, nms.iou_threshold, max_per_img, and the mixin's own settings.
            rescale: return boxes in the picture's own pixels.

        Returns:
            For each picture bboxes [D, 4], labels [D] and scores [D] (the reported confidences), highest first, with
            class_scores, ious and, from a DIR head, purity and integrity [D]. Where boxes vote, these are the values of
            the kept candidate.

        Raises:
            SelectionError: a setting of the ranked NMS is invalid.
        """
        candidates = [
            self.candidates_in(result, proposals, rcnn_test_cfg)
            for result, proposals in zip(raw, proposals_xyxy, strict=True)
        ]
        everything = rcnn_test_cfg.get("all_judges", False)
        selection = Selection.of(rcnn_test_cfg)
        over_classes = rcnn_test_cfg.nms.get("class_agnostic", False)
        most = most_detections(rcnn_test_cfg)
        self._judge(x, candidates, everything=everything)
        results: list[InstanceData] = []
        for result, meta in zip(candidates, batch_img_metas, strict=True):
            del result.box_ids
            if not everything:
                del result.proposals
            rated = localization_confidence(
                rcnn_test_cfg.get("combination", "iou"), result.ious, result.get("purity"), result.get("integrity")
            )
            if rescale and len(result):
                factors = [1 / factor for factor in meta["scale_factor"]]
                result.bboxes = scale_boxes(result.bboxes, factors)
                if everything:
                    result.proposals = scale_boxes(result.proposals, factors)
            kept = selection(
                result.bboxes,
                result.class_scores,
                rated,
                torch.zeros_like(result.labels) if over_classes else result.labels,
                iou_threshold=rcnn_test_cfg.nms.iou_threshold,
            )
            result = result[kept.indices[:most]]
            result.scores = kept.confidences[:most]
            result.bboxes = kept.boxes_xyxy[:most]
            results.append(result)
        return results

    def _judge(self, x: Pyramid, candidates: list[InstanceData], *, everything: bool) -> None:
        """Adds the DIR head's predictions to candidates; with everything, also those of every judge at every sight.

        Candidates of several classes may share a box, whose features are pooled once.
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


class Distinct(NamedTuple):
    """Distinct values among N.

    Attributes:
        first: [U], for each distinct value an index in [0, N) at which it occurs.
        places: [N], for each value its index among the U distinct values.
    """

    first: Tensor
    places: Tensor


def distinct(values: Tensor) -> Distinct:
    """Finds the distinct values among integers [N]."""
    found, places = values.unique(return_inverse=True)
    order = torch.arange(len(values), device=values.device)
    return Distinct(order.new_zeros(len(found)).scatter_(0, places, order), places)

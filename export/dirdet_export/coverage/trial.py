"""The trial of one config: random weights, one step of a retrofit, and an export with its proof of parity."""

import copy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData

from dirdet.errors import DirdetError
from dirdet_export.coverage.outcome import ACCEPTED, YES, Outcome
from dirdet_export.coverage.packages import imported_by
from dirdet_export.coverage.random_weights import enliven
from dirdet_export.coverage.small import make_small
from dirdet_export.dissect.before_retrofit import check_exportable
from dirdet_export.dissect.supported import last_of
from dirdet_export.parity.pictures import draw_pictures
from dirdet_export.parity.reference import as_mmdet_batch, report_boxes_alone
from dirdet_export.pipeline import Order, export
from dirdet_training.mm.checkpoints import load_weights, read_checkpoint
from dirdet_training.mm.configs import build_model, read_config
from dirdet_training.mm.frozen import JUDGES, freeze
from dirdet_training.mm.retrofit import add_dir_head, retrofit
from dirdet_training.mm.zoo import config_folder

PICTURE_HW = (192, 256)
HEAD_CHANNELS = 64
PICTURES = 2


def try_config(name: str, path: Path, work: Path) -> Outcome:
    """Tries a config.

    Args:
        name: of the config.
        path: its file.
        work: an empty folder for its weights and its bundle.
    """
    start = time.monotonic()
    told: dict[str, Any] = {"retrofit": "not tried", "export": "not tried", "detections": 0, "broken": False}

    def step(part: str, work_on: Callable[[], int]) -> bool:
        try:
            told["detections"] = work_on()
        except Exception as exc:  # the trial's purpose is to find any
            told[part], told["broken"] = _reason(exc, path, work)
        else:
            told[part] = YES
        return told[part] == YES

    config, weights = work / "config.py", work / "weights.pth"
    retrofitted = step("retrofit", lambda: write_small_detector(path, config, weights))
    if retrofitted:
        step("export", lambda: _export(config, weights, work / "bundle"))
    return Outcome(name, seconds=round(time.monotonic() - start, 1), imports=_imports(path), **told)


def _reason(exc: Exception, path: Path, work: Path) -> tuple[str, bool]:
    """An error in one line without the folders of this machine, and whether it is none of dirdet's own."""
    text = " ".join(str(exc).split())
    for folder in (config_folder(), path.parent, work):
        text = text.replace(f"{folder}/", "")
    return (text, False) if isinstance(exc, DirdetError) else (f"{type(exc).__name__}: {text}"[:300], True)


def read_config_only(name: str, path: Path) -> Outcome:
    """Builds a config's detector with a DIR head and reads it, in a second, without weights, retrofit and export."""
    start = time.monotonic()
    reason, broken = ACCEPTED, False
    try:
        _check(read_config(path))
    except Exception as exc:  # its purpose is to find any
        reason, broken = _reason(exc, path, path)
    seconds = round(time.monotonic() - start, 1)
    return Outcome(name, reason, reason, 0, broken=broken, seconds=seconds, imports=_imports(path))


def _imports(path: Path) -> str:
    try:
        return imported_by(path)
    except Exception:  # a config that cannot be read has another reason
        return ""


def _batch() -> dict[str, Any]:
    height, width = PICTURE_HW
    drawn = [picture.resize((width, height)) for _, picture in draw_pictures()[:2]]
    return as_mmdet_batch([np.asarray(picture, np.uint8) for picture in drawn])


def _check(cfg: Config) -> None:
    """Raises UnsupportedError if the config's detector cannot be exported with a DIR head; adds the head."""
    add_dir_head(cfg)
    check_exportable(build_model(cfg), cfg)


def write_small_detector(path: Path, config: Path, weights: Path) -> int:
    """Writes random weights of a config's detector, with a DIR head that was trained for one step, and their config.

    Args:
        path: of MMDetection's config.
        config: file of the config with the DIR head.
        weights: file of the weights.

    Returns:
        0: nothing was compared yet.
    """
    plain = weights.with_name("plain.pth")
    cfg = read_config(path)
    make_small(cfg)
    # What is refused may not run at all.
    _check(copy.deepcopy(cfg))
    torch.manual_seed(0)
    model: Any = build_model(cfg)
    report_boxes_alone(model)
    enliven(model.eval(), _batch())
    # As MMEngine writes it; some configs' data sets read their names from files.
    classes: int = last_of(model.roi_head.bbox_head).num_classes
    meta = {"dataset_meta": {"classes": [f"class {number}" for number in range(classes)]}}
    torch.save({"state_dict": model.state_dict(), "meta": meta}, plain)
    del model
    retrofit(cfg, plain, epochs=1, trust_checkpoint=False)
    cfg.model.roi_head.dir_head.fc_channels = HEAD_CHANNELS
    judged: Any = build_model(cfg).eval()
    report_boxes_alone(judged)
    load_weights(judged, read_checkpoint(plain), plain, without=JUDGES)
    plain.unlink()
    freeze(judged)
    _train_once(judged)
    enliven(judged, _batch(), only=JUDGES)
    torch.save({"state_dict": judged.state_dict(), "meta": meta}, weights)
    cfg.dump(config)
    return 0


def _train_once(model: Any) -> None:  # noqa: ANN401
    batch = _batch()
    for sample in batch["data_samples"]:
        boxes = torch.tensor([[10.0, 10, 120, 150], [60, 40, 230, 170]])
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.zeros(2, dtype=torch.long))
    before = copy.deepcopy({name: value for name, value in model.state_dict().items() if not name.startswith(JUDGES)})
    optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=1e-3)
    losses = model(**model.data_preprocessor(batch, training=True), mode="loss")
    total = sum(value for name, value in losses.items() if "loss" in name)
    if not isinstance(total, torch.Tensor) or not torch.isfinite(total):
        raise DirdetError(f"expected finite losses of the DIR head, found {losses}")
    total.backward()
    optimizer.step()
    changed = [name for name, value in before.items() if not torch.equal(value, model.state_dict()[name])]
    if changed:
        raise DirdetError(f"a retrofit changed the detector: {changed[0]}")


def _export(config: Path, weights: Path, out: Path) -> int:
    pictures = out.with_name("pictures")
    pictures.mkdir()
    for number, (_, picture) in enumerate(draw_pictures()[:PICTURES]):
        picture.save(pictures / f"{number}.png")
    order = Order(config=str(config), checkpoint=weights, out=out, name="trial", pictures=[pictures])
    return export(order, lambda _: None)[0].detections

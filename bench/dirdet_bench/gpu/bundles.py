"""A bundle of a shipped config with fresh weights, made on the machine that measures it."""

from pathlib import Path

import numpy as np

from dirdet.bundle.bundle import Bundle
from dirdet_bench.export.engine import canvases_of, largest
from dirdet_bench.export.engine_peers import export_bundle, write_fresh
from dirdet_bench.training.detector_pair import WITH, detector_pair
from dirdet_export.parity.pictures import draw_pictures
from dirdet_training.mm.configs import read_config

# Pairs of box and class that pass the threshold in a picture.
CANDIDATES = 200


def fresh_bundle(config: str, folder: Path) -> Bundle:
    """Exports a config's detector, its weights scaled so that it finds about as much as a trained one."""
    cfg = read_config(config)
    size = largest(canvases_of(cfg))
    picture = np.asarray(draw_pictures()[0][1].resize((size.width, size.height)), np.uint8)
    checkpoint = write_fresh(cfg, folder.with_suffix(".pth"), picture, CANDIDATES)
    model = detector_pair(cfg, checkpoint, trust_checkpoint=False).models[WITH].cpu().eval()
    return export_bundle(model, cfg, checkpoint, folder)

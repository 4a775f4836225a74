"""Ten architectures and forty picture files, embedded and on a real Triton, against MMDetection from the same files.

`python -m tests.triton.from_files PAGE [NAME ...]` writes the table of docs/files-parity.md; an hour on two cores.
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

import argparse
import sys
import tempfile
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from dirdet_export.pipeline import Canvases, Order, Reference, export

from PIL import Image

from dirdet.bundle.bundle import Bundle
from dirdet.engines.base import Engine
from dirdet.engines.factory import make_engine
from dirdet.engines.triton.repository.config import RepositoryOptions
from dirdet.engines.triton.repository.writer import write_repository
from dirdet.engines.triton.target import TritonTarget
from dirdet_export.coverage.listing import config_folder
from dirdet_export.coverage.trial import write_small_detector
from dirdet_export.dissect.anatomy import dissect
from dirdet_export.dissect.input_pipeline import read_pipeline
from dirdet_export.parity.bundle_side import served
from dirdet_export.parity.mm_pipeline import FilePipeline
from dirdet_export.parity.proof import MIN_SHARE, Proof, prove
from dirdet_export.parity.reference import report_boxes_alone
from dirdet_training.mm.checkpoints import load_detector

from .environment import TritonEnvironment, install, make_python, site_of
from .forty_files import write_forty_files
from .server import TritonServer, running

ARCHITECTURES = (
    "faster_rcnn/faster-rcnn_r50_fpn_1x_coco",
    "mask_rcnn/mask-rcnn_r50_fpn_1x_coco",
    "cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco",
    "double_heads/dh-faster-rcnn_r50_fpn_1x_coco",
    "dcnv2/faster-rcnn_r50-mdconv-c3-c5_fpn_1x_coco",
    "libra_rcnn/libra-faster-rcnn_r50_fpn_1x_coco",
    "hrnet/faster-rcnn_hrnetv2p-w18-1x_coco",
    "gn+ws/faster-rcnn_r50_fpn_gn-ws-all_1x_coco",
    "swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco",
    "pafpn/faster-rcnn_r50_pafpn_1x_coco",
)
HEAD = """# From picture files

Written by `make test-files-parity`. For each architecture of MMDetection, a small detector with random weights is
exported. Its answers to forty picture files are compared with MMDetection's from the same files, through the embedded
engine and through a real Triton. The files are JPEG, PNG, WebP and BMP, small, large, tall, wide, grey, with alpha, a
palette or 16 bits, and turned by EXIF. A box agrees within 0.5 px and 0.01 of every figure. A near-tie is a box whose
survival depends on rounding.

| architecture | engine | files | boxes | agree | near-ties | largest box difference, px | of a figure |
|---|---|---:|---:|---:|---:|---:|---:|
"""


@contextmanager
def on_triton(bundle: Bundle, environment: TritonEnvironment, folder: Path) -> Generator[Engine]:
    """The engine of a bundle on a Triton of its own."""
    write_repository(bundle, folder / "models", options=RepositoryOptions(onnxruntime="python"))
    python = make_python(folder / "python", [environment.site, site_of("torch")])
    with running(TritonServer(environment, folder / "models", python=python, log=folder / "log")) as server:
        yield make_engine(bundle, triton=TritonTarget(server.address))


def line(name: str, engine: str, proof: Proof) -> str:
    """A row of the table."""
    alone = proof.whole[0]
    figures = max((value for key, value in alone.largest.items() if key not in ("box", "mask")), default=0.0)
    cells = [name, engine, alone.pictures, alone.detections, f"{proof.share():.1%}", alone.near_ties]
    return f"| {' | '.join(map(str, cells))} | {alone.largest.get('box', 0.0):.2g} | {figures:.2g} |"


def compare(name: str, environment: TritonEnvironment, folder: Path, photograph: Image.Image) -> list[tuple[str, bool]]:
    """Rows of an architecture, and whether each has the share of agreeing boxes."""
    config, weights, pictures = folder / "config.py", folder / "weights.pth", folder / "pictures"
    pictures.mkdir()
    write_small_detector(config_folder() / f"{name}.py", config, weights)
    files = write_forty_files(photograph, pictures)
    order = Order(config=str(config), checkpoint=weights, out=folder / "bundle", name="detector", pictures=files[:3])
    export(order, lambda _: None)
    bundle = Bundle.open(folder / "bundle")
    loaded: tuple[Any, Any] = load_detector(str(config), weights, trust_checkpoint=False)
    model, cfg = loaded
    report_boxes_alone(model)
    _, limits = dissect(model, read_pipeline(cfg))
    canvases = Canvases(bundle.manifest.resize, bundle.manifest.canvases)
    cases = Reference(model, FilePipeline(cfg), limits).read(files, canvases)
    rows: list[tuple[str, bool]] = []
    with on_triton(bundle, environment, folder) as triton:
        for label, engine in (("embedded", make_engine(bundle, provider="cpu")), ("Triton", triton)):
            with served(bundle.manifest, engine) as application:
                proof = prove(model=model, served=application, parts=[], cases=cases, limits=limits)
            rows.append((line(name, label, proof), proof.share() >= MIN_SHARE))
    return rows


def main(page: Path, names: Sequence[str]) -> bool:
    """Compares the architectures and writes the page after each of them; whether all agree."""
    photograph = Image.open(Path(__file__).resolve().parents[2] / "docs" / "example.jpg").convert("RGB")
    environment, good = install(), True
    kept = page.read_text().splitlines() if page.is_file() else []
    for name in names:
        with tempfile.TemporaryDirectory(prefix="dirdet-files-") as folder:
            rows = compare(name, environment, Path(folder), photograph)
        kept = [row for row in kept if row.startswith("| ") and "/" in row and f"| {name} |" not in row]
        kept += [row for row, _ in rows]
        good = good and all(agrees for _, agrees in rows)
        page.write_text(HEAD + "\n".join(kept) + "\n")
        print(*(row for row, _ in rows), sep="\n", flush=True)
    return good


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("names", nargs="*", default=ARCHITECTURES, help="configs; ten architectures unless given")
    arguments = parser.parse_args()
    sys.exit(0 if main(arguments.page, arguments.names) else 1)

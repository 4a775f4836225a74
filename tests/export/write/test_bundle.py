"""The written bundle: what it says of itself is true, and where it stands."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from dirdet.bundle.bundle import DETECTOR, MANIFEST, ROI_STAGE, TRUNK, Bundle, sha256_of
from dirdet.errors import BundleError
from dirdet_export.errors import ExportError
from dirdet_export.write.files import staged

TYPES = {"tensor(float)": "float32", "tensor(int64)": "int64", "tensor(uint8)": "uint8"}


def test_manifest_lists_the_sessions_inputs_and_outputs(specimen: Any, bundle_of: Callable[..., Path]) -> None:
    manifest = Bundle.open(bundle_of(specimen)).manifest
    session = onnxruntime.InferenceSession(str(bundle_of(specimen) / DETECTOR))
    fixed = {"M": manifest.max_candidates, "D": manifest.max_detections}
    for specs, tensors in ((manifest.inputs, session.get_inputs()), (manifest.outputs, session.get_outputs())):
        expected = [(spec.name, spec.dtype, [fixed.get(str(side), side) for side in spec.shape]) for spec in specs]
        assert [(tensor.name, TYPES[tensor.type], tensor.shape) for tensor in tensors] == expected


def test_manifest_says_where_the_weights_come_from(specimen: Any, bundle_of: Callable[..., Path]) -> None:
    manifest = Bundle.open(bundle_of(specimen)).manifest
    assert manifest.provenance.checkpoint_sha256 == sha256_of(specimen.checkpoint)
    assert {"torch", "onnx", "onedl-mmdetection"} <= set(manifest.provenance.versions)
    assert manifest.localization_confidence == ("dir" if specimen.limits.predicts_iou else None)
    assert set(manifest.files) == {DETECTOR, TRUNK, ROI_STAGE}


def test_a_changed_file_is_noticed(dir_specimen: Any, bundle_of: Callable[..., Path], tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(bundle_of(dir_specimen), folder)
    with (folder / ROI_STAGE).open("r+b") as file:
        file.seek(1000)
        file.write(b"other")
    with pytest.raises(BundleError, match=r"roi_stage\.safetensors: sha256 is"):
        Bundle.open(folder)


def test_an_existing_folder_is_refused_unless_forced(tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    out.mkdir()
    (out / MANIFEST).write_text("old")
    with pytest.raises(ExportError, match="exists already"), staged(out):
        pytest.fail("entered")
    with staged(out, force=True) as folder:
        (folder / MANIFEST).write_text("new")
    assert (out / MANIFEST).read_text() == "new"
    assert list(tmp_path.iterdir()) == [out]


def test_force_replaces_bundles_only(tmp_path: Path) -> None:
    out = tmp_path / "photographs"
    out.mkdir()
    (out / "holiday.jpg").write_text("dear")
    with pytest.raises(ExportError, match="replaces bundles only"), staged(out, force=True):
        pytest.fail("entered")
    assert (out / "holiday.jpg").exists()


def test_a_failed_export_leaves_what_was_there(tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    out.mkdir()
    (out / MANIFEST).write_text("old")

    def fail() -> None:
        with staged(out, force=True) as folder:
            (folder / MANIFEST).write_text("new")
            raise ExportError("no")

    with pytest.raises(ExportError, match="no"):
        fail()
    assert (out / MANIFEST).read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"), staged(tmp_path / "file" / "bundle"):
        pytest.fail("entered")

"""Copies the code of the RoI stage beside the model, since Triton has no dirdet."""

from importlib.util import find_spec
from pathlib import Path

from dirdet.errors import BundleError

# dirdet_export.graph.roi_stage_file and the modules that it imports; they need torch only.
MODULES = (
    "dirdet_export/__init__.py",
    *(
        f"dirdet_export/graph/{name}.py"
        for name in (
            "__init__", "box_heads", "boxes", "candidates", "description", "guided_anchors", "heads", "masks",
            "nms_without_waits", "other_poolings", "padded_nms", "padded_rows", "padding", "point_masks",
            "position_attention", "proposals", "pyramid", "reassembly", "roi_stage", "roi_stage_file", "side_head",
            "tsd_pooling",
        )
    ),
    "dirdet_training/__init__.py",
    "dirdet_training/confidence.py",
    "dirdet_training/geometry.py",
)  # fmt: skip


def stage_code() -> dict[str, Path]:
    """Files by their paths in the folder of the model's version.

    Raises:
        BundleError: this installation is incomplete.
    """
    found = {module: _folder_of(module.partition("/")[0]) / module.partition("/")[2] for module in MODULES}
    missing = [module for module, path in found.items() if not path.is_file()]
    if missing:
        raise BundleError(f"this installation of dirdet lacks {missing[0]}, of which Triton's models are made")
    return found


def _folder_of(package: str) -> Path:
    """Folder of a package, found without an import."""
    spec = find_spec(package)
    locations = list(spec.submodule_search_locations or []) if spec is not None else []
    return Path(locations[0]) if locations else Path(package)

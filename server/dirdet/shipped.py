"""The detector that comes with the package, and how a command finds the one it is told."""

from importlib.resources import files
from pathlib import Path

from dirdet.bundle import MANIFEST, Bundle
from dirdet.errors import BundleError

DEFAULT_DETECTOR = "scenes"


def default_bundle() -> Path:
    """Folder of the detector inside the package.

    Raises:
        BundleError: this installation has none.
    """
    folder = Path(str(files("dirdet"))) / "detectors" / DEFAULT_DETECTOR
    if not (folder / MANIFEST).is_file():
        raise BundleError(f"no detector comes with this installation (expected {folder}); name one: --detector FOLDER")
    return folder


def open_bundle(folder: Path | None = None) -> Bundle:
    """Opens the bundle in `folder`, or the one that comes with the package.

    Raises:
        BundleError: there is none, or it is not what it says it is.
    """
    return Bundle.open(folder or default_bundle())

"""The detectors of the package, and how a command opens a bundle."""

from importlib.resources import files
from pathlib import Path

from dirdet.bundle.bundle import MANIFEST, Bundle
from dirdet.errors import BundleError

DEFAULT_DETECTOR = "scenes"


def _detectors() -> Path:
    return Path(str(files("dirdet"))) / "detectors"


def shipped_detectors() -> dict[str, Path]:
    """Folders of the package's detectors by name, the default one first; empty in an installation without them."""
    found = sorted(file.parent for file in _detectors().glob(f"*/{MANIFEST}"))
    return {folder.name: folder for folder in sorted(found, key=lambda folder: folder.name != DEFAULT_DETECTOR)}


def default_bundle() -> Path:
    """Folder of the package's default detector.

    Raises:
        BundleError: the installation has no detector.
    """
    folder = shipped_detectors().get(DEFAULT_DETECTOR)
    if folder is None:
        expected = _detectors() / DEFAULT_DETECTOR
        raise BundleError(
            f"no detector comes with this installation (expected {expected}); name one: --detector FOLDER"
        )
    return folder


def open_bundle(folder: Path | None = None) -> Bundle:
    """Opens a bundle.

    Args:
        folder: of the bundle, or the bare name of one of the package's detectors, unless there is a folder of that
            name; None opens the package's default one.

    Raises:
        BundleError: there is no bundle, or its files differ from its manifest.
    """
    if folder is None:
        return Bundle.open(default_bundle())
    if folder.exists():
        return Bundle.open(folder)
    shipped = shipped_detectors()
    named = shipped.get(str(folder))
    if named is None:
        raise BundleError(
            f"{folder} is not a bundle: there is no such folder, and the package's detectors are {', '.join(shipped)}"
        )
    return Bundle.open(named)

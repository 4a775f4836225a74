"""Copies a bundle with another manifest; a bundle is never changed in place."""

import shutil
import tempfile
from pathlib import Path

from dirdet.bundle.bundle import Bundle, Manifest, sha256_of, write_manifest
from dirdet.errors import BundleError
from dirdet.files import open_regular


def check_new(out: Path) -> None:
    """Raises BundleError if `out` exists."""
    if out.exists() or out.is_symlink():
        raise BundleError(f"--out {out}: expected a new folder, it exists already")


def held(file: Path) -> Path:
    """Path of one of the bundle's files, for copying.

    Raises:
        BundleError: the file is a symbolic link; its target was not exported with the bundle.
    """
    if file.is_symlink():
        raise BundleError(f"{file} is a symbolic link; expected a file: a copy holds what the bundle holds")
    return file


def copy_with(bundle: Bundle, manifest: Manifest, out: Path) -> None:
    """Writes the bundle's files to `out` with another manifest; on failure nothing is left.

    Args:
        bundle: only the files that its manifest names are copied.
        manifest: the new manifest; its file hashes are computed again.
        out: a folder that does not exist.

    Raises:
        BundleError: `out` exists or cannot be written, or a file is a symbolic link.
    """
    check_new(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as exc:
        raise BundleError(f"--out {out}: cannot be written: {exc.strerror}") from exc
    try:
        for name in bundle.manifest.files:
            with open_regular(held(bundle.folder / name)) as there, (stage / name).open("xb") as here:
                shutil.copyfileobj(there, here)
        files = {name: sha256_of(stage / name) for name in manifest.files}
        write_manifest(stage, manifest.model_copy(update={"files": files}))
        stage.chmod(0o755)  # mkdtemp grants access to its owner only; a server often runs as another user
        stage.rename(out)
    except OSError as exc:
        raise BundleError(f"--out {out}: cannot be written: {exc.strerror}") from exc
    finally:
        shutil.rmtree(stage, ignore_errors=True)

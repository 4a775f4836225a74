"""A bundle with another manifest: a copy beside it, since a bundle is never edited in place."""

import shutil
import tempfile
from pathlib import Path

from dirdet.bundle import MANIFEST, Bundle, Manifest, sha256_of, write_manifest
from dirdet.errors import BundleError


def check_new(out: Path) -> None:
    """Raises BundleError where something is at `out` already."""
    if out.exists() or out.is_symlink():
        raise BundleError(f"--out {out}: expected a new folder, it exists already")


def copy_with(bundle: Bundle, manifest: Manifest, out: Path) -> None:
    """Writes the bundle's files to `out` with another manifest; all of it, or nothing.

    Args:
        bundle: to copy; other files beside its own, such as a README, come along.
        manifest: the new one; the hashes of its files are taken anew.
        out: a folder that does not exist.

    Raises:
        BundleError: there is something at `out`, or it cannot be written.
    """
    check_new(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as exc:
        raise BundleError(f"--out {out}: cannot be written: {exc.strerror}") from exc
    try:
        for file in bundle.folder.iterdir():
            if file.is_file() and file.name != MANIFEST:
                shutil.copyfile(file, stage / file.name)
        files = {name: sha256_of(stage / name) for name in manifest.files}
        write_manifest(stage, manifest.model_copy(update={"files": files}))
        stage.chmod(0o755)  # mkdtemp lets only its owner in; a server is often somebody else
        stage.rename(out)
    except OSError as exc:
        raise BundleError(f"--out {out}: cannot be written: {exc.strerror}") from exc
    finally:
        shutil.rmtree(stage, ignore_errors=True)

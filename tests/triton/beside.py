"""The other NAME_detector beside the first: one server answers as both."""

from pathlib import Path

from dirdet.bundle.bundle import Bundle
from dirdet.engines.triton.repository.config import RepositoryOptions
from dirdet.engines.triton.repository.writer import write_repository

# Of the bundle's models, as if it were another detector.
NAME = "process"


def write_both(bundle: Bundle, repository: Path) -> None:
    """For a Triton without the ONNX Runtime backend, as the wheel's is: the ensemble, and `process_detector`."""
    write_repository(bundle, repository, options=RepositoryOptions(onnxruntime="python"))
    renamed = Bundle(bundle.folder, bundle.manifest.model_copy(update={"name": NAME}))
    write_repository(renamed, repository, options=RepositoryOptions(onnxruntime="python", detector_as="process"))

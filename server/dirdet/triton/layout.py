"""Names of a detector's models in a repository, and how a gateway tells that they are those of its bundle."""

import hashlib
from dataclasses import dataclass

from dirdet.bundle import DETECTOR, ROI_STAGE, TRUNK, TRUNK_SCRIPT, Manifest

# The parameter of every generated model that names the bundle's network.
NETWORK = "dirdet_network"


@dataclass(frozen=True, slots=True)
class ModelNames:
    """The four models that serve one bundle; several bundles share a repository by their names.

    Attributes:
        bundle: the detector's name.
    """

    bundle: str

    @property
    def trunk(self) -> str:
        """Canvas to feature pyramid."""
        return f"{self.bundle}_trunk"

    @property
    def roi_stage(self) -> str:
        """Feature pyramid to detections."""
        return f"{self.bundle}_roi_stage"

    @property
    def detector(self) -> str:
        """The ensemble of the two."""
        return f"{self.bundle}_detector"

    @property
    def detector_onnx(self) -> str:
        """The whole in one model."""
        return f"{self.bundle}_detector_onnx"

    @property
    def all(self) -> tuple[str, ...]:
        """Every model, the ensemble after its parts."""
        return self.trunk, self.roi_stage, self.detector, self.detector_onnx


def network_digest(manifest: Manifest) -> str:
    """Hexadecimal sha256 over the network's files: what calibration and a new model card leave as it is."""
    names = [name for name in (DETECTOR, TRUNK, ROI_STAGE, TRUNK_SCRIPT) if name in manifest.files]
    return hashlib.sha256("".join(f"{name} {manifest.files[name]}\n" for name in names).encode()).hexdigest()

"""Names of a detector's models in a repository, and the digest that identifies its network."""

import hashlib
from dataclasses import dataclass

from dirdet.bundle.bundle import DETECTOR, ROI_STAGE, TRUNK, TRUNK_FLOAT16, Manifest

# Parameter of every generated model with the digest of the bundle's network.
NETWORK = "dirdet_network"


@dataclass(frozen=True, slots=True)
class ModelNames:
    """The four models of one bundle; bundles in the same repository differ by name.

    Attributes:
        bundle: the detector's name.
    """

    bundle: str

    @property
    def trunk(self) -> str:
        """Model from canvas to feature pyramid."""
        return f"{self.bundle}_trunk"

    @property
    def roi_stage(self) -> str:
        """Model from feature pyramid to detections."""
        return f"{self.bundle}_roi_stage"

    @property
    def detector(self) -> str:
        """Ensemble of trunk and RoI stage."""
        return f"{self.bundle}_detector"

    @property
    def detector_onnx(self) -> str:
        """Single model with the whole detector."""
        return f"{self.bundle}_detector_onnx"

    @property
    def all(self) -> tuple[str, ...]:
        """All models, the ensemble after its parts."""
        return self.trunk, self.roi_stage, self.detector, self.detector_onnx


def network_digest(manifest: Manifest) -> str:
    """Hexadecimal sha256 over the network's files; calibration and the model card do not change it."""
    names = [name for name in (DETECTOR, TRUNK, TRUNK_FLOAT16, ROI_STAGE) if name in manifest.files]
    return hashlib.sha256("".join(f"{name} {manifest.files[name]}\n" for name in names).encode()).hexdigest()

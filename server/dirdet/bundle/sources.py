"""The detectors that a command serves: an optional name and a bundle's folder each."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dirdet.bundle.bundle import Bundle
from dirdet.bundle.shipped import open_bundle
from dirdet.errors import ParameterError

# As in `dirdet.bundle.bundle.Manifest.name`; text before a "=" that is not a name belongs to the path.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class DetectorSource:
    """Location of a detector.

    Attributes:
        name: the name it is served under; None is the bundle's own name.
        folder: of the bundle; None is the package's.
    """

    name: str | None = None
    folder: Path | None = None

    @classmethod
    def parse(cls, text: str, *, option: str) -> "DetectorSource":
        """Parses `[NAME=]PATH`; a path that contains "=" is written as ./PATH.

        Raises:
            ParameterError: the path is empty.
        """
        name, equals, path = text.partition("=")
        source = cls(name, Path(path)) if equals and NAME.fullmatch(name) else cls(None, Path(text))
        if not text or (source.name is not None and not path):
            raise ParameterError(option, f"expected [NAME=]PATH, got {text!r}")
        return source

    def open(self) -> Bundle:
        """Opens the bundle that is in the folder now.

        Raises:
            BundleError: there is no bundle, or its files differ from its manifest.
        """
        return open_bundle(self.folder)


@dataclass(frozen=True, slots=True)
class NamedBundle:
    """An opened bundle and the name it is served under.

    Attributes:
        source: has a name.
        bundle: opened from the source.
    """

    source: DetectorSource
    bundle: Bundle

    @property
    def name(self) -> str:
        return self.source.name or self.bundle.manifest.name


def open_all(sources: Sequence[DetectorSource]) -> list[NamedBundle]:
    """Opens every bundle; each has a distinct name.

    Raises:
        BundleError: a bundle cannot be opened.
        ParameterError: two bundles have the same name.
    """
    found: dict[str, NamedBundle] = {}
    for source in sources:
        bundle = source.open()
        named = NamedBundle(replace(source, name=source.name or bundle.manifest.name), bundle)
        if named.name in found:
            raise ParameterError(
                "--detector",
                f"two are named {named.name!r}, {found[named.name].bundle.folder} and {bundle.folder}; name one "
                "otherwise: --detector NAME=PATH",
            )
        found[named.name] = named
    return list(found.values())

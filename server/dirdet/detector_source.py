"""Which detectors a command was told to serve: a name, if one was given, and a bundle's folder."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dirdet.bundle import Bundle
from dirdet.errors import ParameterError
from dirdet.shipped import open_bundle

# As in `dirdet.bundle.Manifest.name`; what stands before a "=" and is no name belongs to the path.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class DetectorSource:
    """Where a detector comes from.

    Attributes:
        name: what it is served as; None is the bundle's own name.
        folder: of the bundle; None is the one that comes with the package.
    """

    name: str | None = None
    folder: Path | None = None

    @classmethod
    def parse(cls, text: str, *, option: str) -> "DetectorSource":
        """Of `[NAME=]PATH`; a path that looks like that is written as ./PATH.

        Raises:
            ParameterError: there is no path.
        """
        name, equals, path = text.partition("=")
        source = cls(name, Path(path)) if equals and NAME.fullmatch(name) else cls(None, Path(text))
        if not text or (source.name is not None and not path):
            raise ParameterError(option, f"expected [NAME=]PATH, got {text!r}")
        return source

    def open(self) -> Bundle:
        """The bundle as it is now, by the name that it is served as; its folder and files are its own.

        Raises:
            BundleError: there is none, or it is not what it says it is.
        """
        return open_bundle(self.folder)


@dataclass(frozen=True, slots=True)
class NamedBundle:
    """A bundle that is opened, and what it is served as.

    Attributes:
        source: with its name.
        bundle: what was found there.
    """

    source: DetectorSource
    bundle: Bundle

    @property
    def name(self) -> str:
        """What it is served as."""
        return self.source.name or self.bundle.manifest.name


def open_all(sources: Sequence[DetectorSource]) -> list[NamedBundle]:
    """Every bundle, each with a name of its own.

    Raises:
        BundleError: one cannot be opened.
        ParameterError: two have one name.
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

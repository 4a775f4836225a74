"""The detectors that are served, by name, each to be replaced while requests are under way."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from dirdet.errors import EngineError, NotReadyError, UnknownDetectorError
from dirdet.served import ServedDetector


class Detectors:
    """By name; the first is the default one. For one event loop, once the first are here."""

    def __init__(self) -> None:
        """Nothing is loaded yet."""
        self._by_name: dict[str, ServedDetector] = {}
        self._retired: list[ServedDetector] = []

    def serve(self, detectors: Sequence[ServedDetector]) -> None:
        """From now on requests are answered by these; one whose name is taken is replaced in its place.

        A detector that is replaced is closed after its last request.
        """
        before = self._by_name
        self._by_name = before | {each.name: each for each in detectors}  # at once, for who looks meanwhile
        self._retired = [each for each in self._retired if not each.closed]
        for each in detectors:
            if each.name in before:
                self._retired.append(before[each.name])
                before[each.name].retire()

    @property
    def names(self) -> list[str]:
        """Of all, the default one's first; empty while they are loaded."""
        return list(self._by_name)

    def named(self, name: str | None = None) -> ServedDetector:
        """The detector that is served now by a name, or the default one.

        Raises:
            NotReadyError: the detectors are not loaded yet.
            UnknownDetectorError: there is no such name; names those there are.
        """
        if not self._by_name:
            raise NotReadyError("the detector is still being loaded")
        if name is None:
            return next(iter(self._by_name.values()))
        if name not in self._by_name:
            raise UnknownDetectorError(f"there is no detector {name!r}; there is {', '.join(map(repr, self._by_name))}")
        return self._by_name[name]

    @contextmanager
    def held(self, name: str | None = None) -> Generator[ServedDetector]:
        """As `named`; the detector stays open to the end of the block, also if it is replaced meanwhile."""
        with self.named(name).held() as served:
            yield served

    async def check_ready(self, name: str | None = None) -> None:
        """Returns if a picture that is sent now would be answered: by every detector, or by that of the name.

        Raises:
            NotReadyError: the detectors are not loaded yet.
            UnknownDetectorError: there is no such name.
            EngineError: it would not; names the detector where there are several.
        """
        self.named(name)
        for each in self.names if name is None else [name]:
            with self.held(each) as served:
                try:
                    await served.check_ready()
                except EngineError as exc:
                    if len(self._by_name) == 1:
                        raise
                    raise EngineError(f"{each}: {exc}") from exc

    @property
    def busy(self) -> bool:
        """Whether an engine computes, for somebody or for nobody any more."""
        return any(each.lane.busy_s > 0 for each in [*self._by_name.values(), *self._retired])

    def close(self) -> None:
        """Ends everything; nothing is answered any more."""
        for each in [*self._by_name.values(), *self._retired]:
            each.close()

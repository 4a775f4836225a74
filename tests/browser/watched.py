"""A page that is watched: nothing may go wrong unseen, nothing may go elsewhere."""

from typing import Any

# What a test that takes the network away, or a picture, causes itself.
EXPECTED = ("net::ERR_INTERNET_DISCONNECTED", "net::ERR_ABORTED")


class Watched:
    """A page and what it did.

    Attributes:
        page: Playwright's.
        sent: method and path of every request.
        faults: errors of scripts, of the policy and of the network.
    """

    def __init__(self, page: Any, address: str) -> None:
        """Listens from now on; the page is of the server at the address."""
        self.page = page
        self.sent: list[tuple[str, str]] = []
        self.faults: list[str] = []
        self._address = address
        page.on("request", self._note)
        page.on("requestfailed", self._failed)
        page.on("console", self._heard)
        page.on("pageerror", self._broke)

    def count(self, method: str, path: str) -> int:
        return self.sent.count((method, path))

    def told(self) -> str:
        """What it has done and shows, for who looks why a test failed."""
        asked = "\n".join(" ".join(each) for each in self.sent)
        return f"asked:\n{asked}\nfaults: {self.faults}\nshows:\n{self.page.locator('body').inner_text()}"

    def _note(self, request: Any) -> None:
        if request.url.startswith("blob:"):
            return
        host, slash, path = request.url.removeprefix("http://").partition("/")
        self.sent.append((request.method, slash + path.partition("?")[0]))
        if f"http://{host}" != self._address:
            self.faults.append(f"asked {request.url}")

    def _failed(self, request: Any) -> None:
        if request.failure not in EXPECTED:
            self.faults.append(f"{request.url}: {request.failure}")

    def _heard(self, message: Any) -> None:
        # A refusal of the server's is also an error to the console.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(message.text)

    def _broke(self, error: Any) -> None:
        self.faults.append(str(error))

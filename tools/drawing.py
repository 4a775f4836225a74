"""Draws the packages by their imports into CONTRIBUTING.md, and refuses a house that nobody could draw.

    python tools/drawing.py [--check]

With --check a drawing that is not of these imports is an error; without, it is written. A room is a package; modules
beside the packages are one room. A room stands one floor above the highest room that it imports. Always errors: rooms
that import each other in a circle, since then one arrow leads up, and more rooms or floors than `HOUSES` allows.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import grimp
import networkx as nx

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("server", "training", "export", "bench")
PLACE = "CONTRIBUTING.md"
BEGIN, END = "<!-- Written by `make drawing`. -->\n", "<!-- End of the drawing. -->\n"
Rooms: TypeAlias = "nx.DiGraph[str]"
# The room of modules beside the packages.
MODULES = "modules"


class HouseError(Exception):
    """The packages import each other in a way that is not allowed, or the drawing is not of them."""


@dataclass(frozen=True)
class House:
    """Something to draw.

    Attributes:
        packages: one, whose rooms are drawn, or several, which are a room each.
        most_rooms: allowed.
        most_floors: allowed.
    """

    packages: tuple[str, ...]
    most_rooms: int
    most_floors: int

    @property
    def title(self) -> str:
        """What it is called in errors and above the drawing."""
        return f"`{self.packages[0]}`" if len(self.packages) == 1 else "The repository"


HOUSES = (
    House(("dirdet", "dirdet_training", "dirdet_export", "dirdet_bench"), most_rooms=4, most_floors=4),
    House(("dirdet",), most_rooms=14, most_floors=7),
)


def rooms(house: House, root: Path) -> Rooms:
    """The rooms, each with its `modules`, and an edge to every room that it imports, with one such import."""
    drawn: Rooms = nx.DiGraph()
    graph = grimp.build_graph(*house.packages, cache_dir=None)
    # The inside of one package begins below its own name, which imports what it offers to others.
    within = {name for name in graph.modules if len(house.packages) > 1 or name not in house.packages}

    def room(module: str) -> str:
        package, _, inside = module.partition(".")
        if len(house.packages) > 1:
            return package
        first = inside.split(".")[0]
        return first if _folder(f"{package}.{first}", root) else MODULES

    for importer in sorted(within):
        drawn.add_node(room(importer))
        drawn.nodes[room(importer)].setdefault("modules", []).append(importer)
        for imported in sorted(graph.find_modules_directly_imported_by(importer) & within):
            if room(importer) != room(imported):
                drawn.add_edge(room(importer), room(imported), example=f"{importer} imports {imported}")
    return drawn


def floors(house: House, drawn: Rooms) -> list[list[str]]:
    """The rooms of each floor, from the lowest, which imports none.

    Raises:
        HouseError: a circle, or more rooms or floors than allowed.
    """
    if not nx.is_directed_acyclic_graph(drawn):
        steps = "\n".join(f"  {drawn.edges[start, end]['example']}" for start, end in nx.find_cycle(drawn))
        raise HouseError(f"{house.title}: rooms import each other in a circle:\n{steps}")
    built = [sorted(floor) for floor in nx.topological_generations(drawn.reverse())]
    if len(drawn) > house.most_rooms:
        names = ", ".join(sorted(drawn))
        raise HouseError(
            f"{house.title}: at most {house.most_rooms} rooms are allowed, there are {len(drawn)}: {names}"
        )
    if len(built) > house.most_floors:
        path = nx.dag_longest_path(drawn)
        steps = "\n".join(f"  {drawn.edges[edge]['example']}" for edge in nx.utils.pairwise(path))
        allowed = f"at most {house.most_floors} floors are allowed, there are {len(built)}"
        raise HouseError(f"{house.title}: {allowed}, by this way down:\n{steps}")
    return built


def mermaid(house: House, root: Path) -> Iterator[str]:
    """The lines of a drawing: a box a room with its first sentence; no arrow where a longer way leads there too.

    Raises:
        HouseError: as `floors` does.
    """
    drawn = rooms(house, root)
    built = floors(house, drawn)
    yield f"{house.title}: {len(drawn)} rooms on {len(built)} floors.\n"
    yield "```mermaid"
    yield "flowchart TD"
    for floor in reversed(built):
        for room in floor:
            yield f'    {room}["<b>{room}</b><br>{_label(house, room, drawn, root)}"]'
    for start, end in sorted(nx.transitive_reduction(drawn).edges):
        yield f"    {start} --> {end}"
    yield "```\n"


def _folder(package: str, root: Path) -> Path | None:
    """Where the package is, unless it is a module."""
    folders = (root / source / package.replace(".", "/") for source in SOURCES)
    return next((folder for folder in folders if (folder / "__init__.py").is_file()), None)


def _label(house: House, room: str, drawn: Rooms, root: Path) -> str:
    """The modules' names, or the first sentence of the package's docstring."""
    if room == MODULES:
        return ", ".join(module.split(".")[1] for module in drawn.nodes[room]["modules"])
    folder = _folder(room if len(house.packages) > 1 else ".".join((*house.packages, room)), root)
    if folder is None:
        return ""
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    return re.sub(r'["<>`]', "", (ast.get_docstring(tree) or "").split("\n")[0]).rstrip(".")


def draw(root: Path) -> str:
    """All drawings, as the file has them.

    Raises:
        HouseError: as `floors` does.
    """
    return "\n".join(line for house in HOUSES for line in mermaid(house, root))


def put(text: str, drawing: str) -> str:
    """The file's text with the drawing between its marks.

    Raises:
        HouseError: it has no marks.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise HouseError(f"{PLACE}: expected the lines {BEGIN.strip()!r} and {END.strip()!r}, found not both")
    return f"{before}{BEGIN}\n{drawing}\n{END}{after}"


def main(root: Path, *, check: bool) -> None:
    """Writes the drawing, or says that it has to be.

    Raises:
        HouseError: one of the errors above.
    """
    path = root / PLACE
    text = path.read_text(encoding="utf-8")
    new = put(text, draw(root))
    if check and new != text:
        raise HouseError(f"{PLACE}: the drawing is of other imports: make drawing")
    path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / source) for source in SOURCES]
    try:
        main(ROOT, check="--check" in sys.argv[1:])
    except HouseError as error:
        sys.exit(str(error))

"""The twelve classes, the folders their cut-outs come from, and the splits."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class SceneClass:
    """One class.

    Attributes:
        name: what a detection is called.
        folder: where its cut-outs lie, relative to the stamps folder; subfolders belong to it.
    """

    name: str
    folder: str


CLASSES: Final = (
    SceneClass("bird", "animals/birds"),
    SceneClass("mammal", "animals/mammals"),
    SceneClass("insect", "animals/insects"),
    SceneClass("fish", "animals/fish"),
    SceneClass("fruit", "food/fruit"),
    SceneClass("vegetable", "food/vegetables"),
    SceneClass("flower", "plants/flowers"),
    SceneClass("house", "town/houses"),
    SceneClass("roadsign", "town/roadsigns"),
    SceneClass("tool", "household/tools"),
    SceneClass("vehicle", "vehicles"),
    SceneClass("instrument", "hobbies/music"),
)
SPLITS: Final = ("train", "val", "test")


def category_id(class_index: int) -> int:
    """COCO's category_id, which counts from 1, of a class that counts from 0."""
    return class_index + 1


def coco_categories() -> list[dict[str, int | str]]:
    """The `categories` of every annotation file, in order."""
    return [{"id": category_id(index), "name": entry.name} for index, entry in enumerate(CLASSES)]

"""What the page takes from declarations in Python is what they say (page/js/declared.js)."""

import os
from pathlib import Path

import dirdet
from dirdet.detection import Detection
from dirdet.detection.colours import CLASS_COLOURS
from dirdet.detection.field_declaration import fields_of

FILE = Path(dirdet.__file__).parent / "gateway" / "page" / "js" / "declared.js"
HEAD = "// Declarations in Python that the page follows; `make page` writes this file.\n"


def declared() -> str:
    fields = [f'  {{ name: "{each.json}", kind: "{each.kind}" }},\n' for each in fields_of(Detection)]
    told = "/** Members of a detection in POST /detect's answer, in order (detection/detection.py). */\n"
    colours = ", ".join(f'"{each}"' for each in CLASS_COLOURS)
    palette = f"/** Of classes by class_id (detection/colours.py). */\nexport const CLASS_COLOURS = [{colours}];\n"
    return f"{HEAD}\n{told}export const FIELDS = [\n{''.join(fields)}];\n\n{palette}"


def test_the_page_has_what_is_declared() -> None:
    if "WRITE_PAGE" in os.environ:
        FILE.write_text(declared(), encoding="utf-8")
    assert FILE.read_text(encoding="utf-8") == declared(), "a declaration has changed: `make page` writes the file anew"

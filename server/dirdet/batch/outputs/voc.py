"""Pascal VOC's data set: an XML file to a picture, its picture, and the list of all."""

from pathlib import Path, PurePosixPath
from typing import IO

from dirdet.batch.outputs.ask import Of
from dirdet.batch.outputs.context import Context, Written
from dirdet.batch.outputs.media import file_of, put, with_usual_suffix
from dirdet.batch.outputs.places import claim, create
from dirdet.batch.outputs.results import JobPicture
from dirdet.convert.voc import to_voc
from dirdet.errors import PictureError
from dirdet.files import whole_folder

ANNOTATIONS, PICTURES, LIST = "Annotations", "JPEGImages", "ImageSets/Main/all.txt"


def write_voc(context: Context, of: Of) -> Written:
    """`voc/Annotations` and `voc/JPEGImages`, both by the pictures' names, and `voc/ImageSets/Main/all.txt`."""
    written = Written(of)
    with whole_folder(context.folder / "voc") as folder:
        for below in (ANNOTATIONS, PICTURES, str(PurePosixPath(LIST).parent)):
            (folder / below).mkdir(parents=True)
        with (folder / LIST).open("wb") as listed:
            for each in context.pictures(of):
                try:
                    claim(each.result.name, each.position, lambda place, each=each: _put(
                        context, folder, each, place, listed
                    ))  # fmt: skip
                except PictureError as exc:
                    written.lose(each, exc)
                else:
                    written.add(each)
    return written


def _put(context: Context, folder: Path, picture: JobPicture, place: PurePosixPath, listed: IO[bytes]) -> None:
    media = context.ask.media
    if media != "none":
        place = with_usual_suffix(place, picture.entry)
    file = file_of(picture.entry)
    path = folder / ANNOTATIONS / place.with_suffix(".xml")
    create(path, to_voc(picture.result, file_name=str(place), path=None if file is None else str(file)))
    if media != "none":
        try:
            put(picture.entry, folder / PICTURES / place, media)
        except BaseException:
            path.unlink()
            raise
    listed.write(f"{place.with_suffix('')}\n".encode())

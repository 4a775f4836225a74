"""Pascal VOC's data set: an XML file for each picture, the picture, and a list of all."""

from pathlib import PurePosixPath

from dirdet.batch.outputs.context import Context, Written
from dirdet.batch.outputs.label_files import LabelFiles
from dirdet.batch.outputs.media import file_of
from dirdet.batch.outputs.places import with_suffix
from dirdet.batch.outputs.request import Of
from dirdet.batch.outputs.results import JobPicture
from dirdet.convert.voc import to_voc
from dirdet.files import whole_folder

ANNOTATIONS, PICTURES, LIST = "Annotations", "JPEGImages", "ImageSets/Main/all.txt"


def write_voc(context: Context, of: Of) -> Written:
    """Writes `voc/Annotations` and `voc/JPEGImages`, named after the pictures, and `voc/ImageSets/Main/all.txt`."""
    with whole_folder(context.folder / "voc") as folder:
        for below in (ANNOTATIONS, PICTURES, str(PurePosixPath(LIST).parent)):
            (folder / below).mkdir(parents=True)
        files = LabelFiles(folder, lambda place: ANNOTATIONS / with_suffix(place, ".xml"), folder / PICTURES, _xml)
        with (folder / LIST).open("wb") as listed:
            return files.write(
                context, of, on_written=lambda place: listed.write(f"{with_suffix(place, '')}\n".encode())
            )


def _xml(picture: JobPicture, place: PurePosixPath) -> bytes:
    file = file_of(picture.entry)
    return to_voc(picture.result, file_name=str(place), path=None if file is None else str(file))

"""MMDetection's `LoadImageFromFile` with the reading of pictures that serving has.

It gives the pixels that OpenCV gives (a test compares them), and also reads what OpenCV cannot decode.
"""

from io import BytesIO
from typing import Any

import numpy as np
from mmcv.transforms import LoadImageFromFile as ByOpenCv
from mmdet.registry import TRANSFORMS
from mmengine import fileio

from dirdet.errors import PictureError
from dirdet.pictures.reading import read_picture
from dirdet_training.annotations.pictures import LIMITS


@TRANSFORMS.register_module()
class LoadImageFromFile(ByOpenCv):
    """Takes mmcv's place in a config; another `color_type` or `imdecode_backend` than the defaults is mmcv's."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Adds `img` [H, W, 3] in BGR, `img_shape` and `ori_shape`.

        Raises:
            PictureError: the file is not a picture, or broken.
        """
        if self.color_type != "color" or self.imdecode_backend != "cv2" or self.file_client_args is not None:
            return super().transform(results)
        path = results["img_path"]
        try:
            picture = read_picture(BytesIO(fileio.get(path, backend_args=self.backend_args)), limits=LIMITS)
        except PictureError as exc:
            if self.ignore_empty:
                return None
            raise type(exc)(f"{path}: {exc}") from exc
        except OSError:
            if self.ignore_empty:
                return None
            raise
        pixels = np.ascontiguousarray(np.asarray(picture)[..., ::-1])
        results["img"] = pixels.astype(np.float32) if self.to_float32 else pixels
        results["img_shape"] = results["ori_shape"] = pixels.shape[:2]
        return results

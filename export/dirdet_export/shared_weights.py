"""A second graph over the weights that a first one's file holds, so that a bundle stores them once."""

from pathlib import Path

import onnx

# Smaller tensors are not worth a reference.
MIN_BYTES = 4096


def borrow_weights(path: Path, lender: Path) -> None:
    """Makes an ONNX file refer to the bytes of another in the same folder, wherever both hold the same, in place.

    Args:
        path: the file that borrows.
        lender: the file whose bytes it may use; it must not change afterwards.
    """
    model, stored = onnx.load(str(path)), lender.read_bytes()
    place = 0
    for tensor in model.graph.initializer:
        values = tensor.raw_data
        if len(values) < MIN_BYTES:
            continue
        # Mostly in the same order, so that what follows is looked at first.
        offset = stored.find(values, place)
        offset = stored.find(values) if offset < 0 else offset
        if offset < 0:
            continue
        place = offset + len(values)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", lender.name), ("offset", str(offset)), ("length", str(len(values)))):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
    path.write_bytes(model.SerializeToString())

"""The protocol's JSON objects: what is read of a request, and what is documented of an answer."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

MAX_DIMENSIONS = 8
MAX_TENSORS = 32
# No tensor has more values in a row, and a product of such numbers can still be told; one of 0 would hide any other.
MAX_DIMENSION = 2**31 - 1
Dimension = Annotated[int, Field(ge=1, le=MAX_DIMENSION, strict=True)]
Parameters = dict[str, Any]


class InferInput(BaseModel):
    """One tensor of a request."""

    name: str
    shape: list[Dimension] = Field(min_length=1, max_length=MAX_DIMENSIONS)
    datatype: str = Field(description="UINT8, INT64 or FP32")
    parameters: Parameters = Field(
        default_factory=dict, description="binary_data_size: bytes of the tensor after the JSON object"
    )
    data: list[Any] | None = Field(
        default=None, description="the values, row by row, flat or nested; absent where the tensor is binary"
    )


class RequestedOutput(BaseModel):
    """One tensor that is wanted."""

    name: str
    parameters: Parameters = Field(default_factory=dict, description="binary_data: whether it is to be binary")


class InferRequest(BaseModel):
    """The body of POST /v2/models/{name}/infer, or its beginning where tensors are binary."""

    id: str | None = None
    parameters: Parameters = Field(
        default_factory=dict, description="binary_data_output: whether outputs are binary that do not say"
    )
    inputs: list[InferInput] = Field(min_length=1, max_length=MAX_TENSORS)
    outputs: list[RequestedOutput] | None = Field(default=None, max_length=MAX_TENSORS, description="all unless given")


class InferOutput(BaseModel):
    """One tensor of an answer."""

    name: str
    shape: list[int]
    datatype: str
    parameters: Parameters | None = Field(default=None, description="binary_data_size, where it is binary")
    data: list[Any] | None = Field(default=None, description="the values, row by row, flat; absent where binary")


class _Named(BaseModel):
    model_config = ConfigDict(protected_namespaces=())


class InferResponse(_Named):
    """The answer to an inference, or its beginning where tensors are binary."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[InferOutput]


class ServerMetadata(BaseModel):
    """What the server is."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(BaseModel):
    """A tensor that the model takes or gives."""

    name: str
    datatype: str
    shape: list[int] = Field(description="-1 is what differs from call to call; the batch comes first")


class ModelMetadata(BaseModel):
    """What the model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerLive(BaseModel):
    """The process answers."""

    live: bool


class ServerReady(BaseModel):
    """An inference sent now would be answered."""

    ready: bool


class ModelReady(BaseModel):
    """An inference sent now would be answered."""

    name: str
    ready: bool


class ProtocolError(BaseModel):
    """An error, in the protocol's form."""

    error: str

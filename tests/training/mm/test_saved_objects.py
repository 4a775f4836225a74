"""What a hostile checkpoint reaches: pickles put together of every name that may stand in one."""

import builtins
import contextlib
import io
import pickle
import struct
import sys
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mmengine.logging import HistoryBuffer

from dirdet_training.mm.checkpoints import CheckpointError, read_checkpoint
from dirdet_training.mm.saved_objects import ALLOWED, STATISTICS

# What torch itself lets a checkpoint name: containers, types and the functions that rebuild tensors.
TORCHS = """
collections.OrderedDict collections.Counter torch.nn.parameter.Parameter torch.serialization._get_layout
torch.Size torch.Tensor torch.device _codecs.encode builtins.bytearray builtins.set builtins.complex
torch.float32 torch.FloatStorage torch.FloatTensor torch.storage.UntypedStorage
torch.storage.TypedStorage torch._utils._rebuild_parameter torch._utils._rebuild_parameter_with_state
torch._utils._rebuild_tensor torch._utils._rebuild_tensor_v2 torch._utils._rebuild_tensor_v3
torch._utils._rebuild_sparse_tensor torch._utils._rebuild_meta_tensor_no_storage
torch._utils._rebuild_nested_tensor torch._utils._rebuild_wrapper_subclass
torch._utils._rebuild_device_tensor_from_numpy torch._utils._rebuild_device_tensor_from_cpu_tensor
torch._tensor._rebuild_from_type_v2
""".split()  # noqa: SIM905
NAMES = [*ALLOWED, *TORCHS]
WORDS = """
eval exec open __import__ __self__ __globals__ __builtins__ __dict__ __class__ __code__ __func__ __init__
__call__ __subclasses__ __mro__ __reduce__ __setstate__ __getattribute__ mean min max current update
register_statistics _statistics_methods statistics_methods _set_default_statistics _log_history
_count_history max_length f8 O V8 b1 names fields ctypes tofile dump strided open('TRAP','w')
""".split()  # noqa: SIM905
PLAIN = (dict, OrderedDict, Counter, list, tuple, set, str, bytes, bytearray, int, float, complex, bool, type(None))
OF_TORCH = (torch.Tensor, torch.dtype, torch.device, torch.layout, torch.storage.TypedStorage, torch.UntypedStorage)

# Modules of torch's that it imports when it first needs them.
LATE = ("import ('torch.",)
seen: list[str] = []
watching = False


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if watching and event.split(".")[0] in {
        "open", "exec", "compile", "import", "os", "subprocess", "socket", "ctypes", "shutil", "code", "marshal",
    }:  # fmt: skip
        seen.append(f"{event} {arguments[:2]!r}")


sys.addaudithook(_hear)


def name(full: str) -> bytes:
    module, _, last = full.rpartition(".")
    return f"c{module}\n{last}\n".encode()


def text(word: str) -> bytes:
    raw = word.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def write(path: Path, program: bytes) -> Path:
    """A checkpoint in torch's form whose pickle is a program."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("c/data.pkl", b"\x80\x02" + program + b".")
        archive.writestr("c/byteorder", "little")
        archive.writestr("c/data/0", bytes(64))
        archive.writestr("c/version", "3\n")
    return path


def read(path: Path) -> object:
    """What a checkpoint holds, or None where it is refused; fails where reading does anything else."""
    global watching
    seen.clear()
    watching = True
    try:
        return read_checkpoint(path)
    except CheckpointError:
        return None
    finally:
        watching = False
        assert [event for event in seen if str(path) not in event and not event.startswith(LATE)] == []


@pytest.fixture(scope="module", autouse=True)
def _imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Reads one whole and one refused checkpoint, so that what torch imports for that is there."""
    path = tmp_path_factory.mktemp("first") / "c.pth"
    torch.save({"x": torch.zeros(2)}, path)
    read_checkpoint(path)
    for program in (b"}", b"", name("os.system"), b"K\x00K\x00\x86R"):
        with contextlib.suppress(CheckpointError):
            read_checkpoint(write(path, program))


def leaves(node: object, known: set[int]) -> list[object]:
    if id(node) in known:
        return []
    known.add(id(node))
    if isinstance(node, dict):
        return [leaf for pair in node.items() for part in pair for leaf in leaves(part, known)]
    if isinstance(node, list | tuple | set):
        return [leaf for part in node for leaf in leaves(part, known)]
    return [node]


storage = text("storage") + name("torch.FloatStorage") + text("0") + text("cpu") + b"K\x04"
PIECES = st.one_of(
    st.sampled_from([name(full) for full in NAMES]),
    st.sampled_from([text(word) for word in WORDS]),
    # Calls are worth more than anything else.
    st.sampled_from([b"R", b"R", b"\x81", b"b", b"\x85", b"\x86", b"\x87", b")", b"}", b"]", b"\x8f"]),
    st.sampled_from(
        [b"(", b"t", b"s", b"a", b"u", b"e", b"N", b"\x88", b"\x89", b"K\x00", b"K\x03", b"J\xff\xff\xff\xff"]
    ),
    st.sampled_from([b"q\x00", b"q\x01", b"h\x00", b"h\x01", b"(" + storage + b"tQ"]),
)
ATTRIBUTES = sorted({word for word in WORDS if word.isidentifier()} | set(dir(type)) | set(dir(_hear)))


@st.composite
def calls(draw: st.DrawFn, depth: int = 0) -> bytes:
    """A call of an allowed name, its arguments calls again, and perhaps a state set on what it gives."""
    if depth == 3 or draw(st.integers(0, 2)) == 0:
        return draw(PIECES.filter(lambda piece: piece[:1] in b"cXN})]K"))
    arguments = [draw(calls(depth + 1)) for _ in range(draw(st.integers(0, 4)))]
    program = draw(st.sampled_from(NAMES).map(name)) + b"(" + b"".join(arguments) + b"t"
    program += draw(st.sampled_from([b"R", b"\x81"]))
    if draw(st.booleans()):
        state = b"".join(text(draw(st.sampled_from(WORDS))) + draw(calls(depth + 1)) for _ in range(2))
        program += draw(st.sampled_from([b"}(" + state + b"u", b"(" + state + b"t"])) + b"b"
    return program


GETATTR = name("builtins.getattr")
SLOW = settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@SLOW
@given(st.one_of(st.lists(PIECES, max_size=40).map(b"".join), calls()))
@example(GETATTR + GETATTR + text("__self__") + b"\x86R")
@example(name("mmengine.logging.history_buffer.HistoryBuffer") + b")\x81}" + text("_statistics_methods") + b"}s" + b"b")
def test_no_program_reaches_more_than_weights_and_numbers(tmp_path_factory, program):
    methods = dict(HistoryBuffer()._statistics_methods)
    folder = tmp_path_factory.mktemp("hostile")
    with contextlib.chdir(folder):
        found = read(write(folder / "c.pth", b"}" + text("x") + program + b"s"))
        for leaf in leaves(found, set()):
            known = isinstance(leaf, (*PLAIN, *OF_TORCH, np.ndarray, np.generic, HistoryBuffer))
            # A name alone, uncalled, is harmless: what it stands for is never a builtin.
            assert known or not hasattr(builtins, getattr(leaf, "__name__", "")) or leaf in PLAIN, leaf
    assert [path.name for path in folder.iterdir()] == ["c.pth"]
    assert HistoryBuffer()._statistics_methods == methods


@pytest.mark.parametrize("owner", NAMES)
def test_getattr_fetches_nothing_of_any_allowed_name(tmp_path, owner):
    path = tmp_path / "c.pth"
    for attribute in ATTRIBUTES:
        walk = GETATTR + name(owner) + text(attribute) + b"\x86R"
        wanted = owner.endswith("HistoryBuffer") and attribute in STATISTICS
        assert (read(write(path, b"}" + text("x") + walk + b"s")) is not None) is wanted, attribute
        assert read(write(path, b"}" + text("x") + name(f"{owner}.{attribute}") + b"s")) is None, attribute


def evaluating(names: str) -> bytes:
    """eval by way of getattr's own module, as MMEngine's list allows it."""
    builtin = GETATTR + GETATTR + text("__self__") + b"\x86R"
    return GETATTR + builtin + text(names) + b"\x86R" + text("open('TRAP','w')") + b"\x85R"


@pytest.mark.parametrize("names", ["eval", "exec"])
@pytest.mark.parametrize("allowed_elsewhere", [False, True])
def test_getattr_does_not_reach_eval(tmp_path, names, allowed_elsewhere, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Another package may have allowed the real one, for its own files.
    with torch.serialization.safe_globals([getattr] if allowed_elsewhere else []):
        others = set(torch.serialization.get_safe_globals())
        assert read(write(tmp_path / "c.pth", b"}" + text("x") + evaluating(names) + b"s")) is None
        assert set(torch.serialization.get_safe_globals()) == others
    assert not (tmp_path / "TRAP").exists()


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
@pytest.mark.parametrize(
    "saved",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.ones((2, 3), ">i2")),
        np.array([]),
        np.array(True),
        np.float64(2.5),
    ],
)
def test_numbers_come_back_from_numpy_1_and_2(tmp_path, module, saved):
    raw = pickle.dumps(saved, protocol=2)[2:-1].replace(b"numpy._core.multiarray", module.encode())
    found = read_checkpoint(write(tmp_path / "c.pth", b"}" + text("x") + raw + b"s"))["x"]
    assert type(found) is type(saved)
    assert found.dtype == saved.dtype
    assert np.array_equal(found, saved)


@pytest.mark.parametrize(
    "saved",
    [
        np.array([{"a": 1}]),
        np.array(["text"]),
        np.zeros(2, [("a", "f4"), ("b", "O")]),
        np.dtype("O"),
        np.dtype("(2,)f4"),
    ],
)
def test_arrays_of_objects_are_refused(tmp_path, saved):
    torch.save({"x": saved}, tmp_path / "c.pth")
    with pytest.raises(CheckpointError, match="--trust-checkpoint"):
        read_checkpoint(tmp_path / "c.pth")


def test_an_array_that_lies_about_its_size_is_refused(tmp_path):
    raw = pickle.dumps(np.arange(4, dtype=np.uint8), protocol=2)[2:-1].replace(b"K\x04", b"K\x7f")
    with pytest.raises(CheckpointError, match="plain numbers"):
        read_checkpoint(write(tmp_path / "c.pth", b"}" + text("x") + raw + b"s"))


def test_a_history_comes_back_as_it_was(tmp_path):
    history = HistoryBuffer()
    for loss in (3.0, 1.0, 2.0):
        history.update(loss, 2)
    torch.save({"message_hub": {"log_scalars": {"loss": history}}, "again": history}, tmp_path / "c.pth")
    content = read_checkpoint(tmp_path / "c.pth")
    found = content["message_hub"]["log_scalars"]["loss"]
    assert type(found) is HistoryBuffer
    assert content["again"] is found
    assert (found.min(), found.max(), found.current(), found.mean()) == (1, 3, 2, 1)
    assert [list(part) for part in found.data] == [list(part) for part in history.data]
    # What is saved again is MMEngine's own.
    file = io.BytesIO()
    torch.save(found, file)
    assert b"dirdet" not in file.getvalue()


@pytest.mark.parametrize("saved", [[torch.zeros(1)], torch.zeros(2), "weights", {"state_dict": [1]}])
def test_what_is_no_dict_of_weights_is_refused_in_one_line(tmp_path, saved):
    torch.save(saved, tmp_path / "c.pth")
    with pytest.raises(CheckpointError, match="expected a dict of weights by name") as caught:
        read_checkpoint(tmp_path / "c.pth")
    assert "\n" not in str(caught.value)


def test_what_holds_itself_or_is_nested_without_end_is_refused_or_read(tmp_path):
    itself = b"}" + text("x") + b"]q\x00h\x00as"
    assert isinstance(read(write(tmp_path / "c.pth", itself)), dict)
    deep = b"}" + text("x") + b"]" * 100_000 + b"a" * 99_999 + b"s"
    with pytest.raises(CheckpointError, match=r"c\.pth is broken"):
        read_checkpoint(write(tmp_path / "c.pth", deep))
    # 2^64 lists by name, 64 in memory.
    doubled = b"}" + text("x") + b"]q\x00" + b"](h\x00h\x00eq\x00" * 64 + b"s"
    read(write(tmp_path / "c.pth", doubled))

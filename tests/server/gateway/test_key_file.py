"""The file of keys: what is read is what was written, and what is wrong is named by its line."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirdet.errors import KeyFileError
from dirdet.gateway.access.api_keys import PREFIX, Key, digest, new_key, parse_lines, redacted
from dirdet.gateway.access.key_file import append_key, read_keys
from dirdet.gateway.access.rate_limits import Rate

HEX = "0" * 64

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True).filter(
    lambda name: not name.startswith(PREFIX)
)
rates = st.builds(Rate, st.integers(1, 10**9 - 1), st.sampled_from(["s", "min", "h", "d"]), st.integers(1, 10**9 - 1))
keys = st.builds(Key, names, st.binary(min_size=32, max_size=32), st.none() | rates, st.booleans())
files = st.lists(keys, max_size=5, unique_by=(lambda key: key.name, lambda key: key.digest))
between = st.lists(st.sampled_from(["", "   ", "# a comment", "\t#rate=1/s"]), max_size=3)


@given(wanted=files, noise=between, end=st.sampled_from(["\n", "\r\n"]), space=st.sampled_from([" ", "\t", "   "]))
def test_what_was_written_is_read(wanted: list[Key], noise: list[str], end: str, space: str) -> None:
    lines = [line for key in wanted for line in (*noise, key.line().replace(" ", space) + space)]
    assert parse_lines(end.join(lines)) == wanted
    assert parse_lines(end.join([*lines, ""])) == wanted


@given(text=st.text(max_size=200) | st.lists(st.sampled_from(
    ["a", f"sha256:{HEX}", "rate=", "1/s", "burst=", "2", "admin", " ", "\n", "#", "="]
), max_size=12).map("".join))  # fmt: skip
def test_any_text_is_keys_or_a_line_that_is_wrong(text: str) -> None:
    wrong, read = "", []
    try:
        read = parse_lines(text)
    except ValueError as exc:
        wrong = str(exc)
    if wrong:
        assert wrong.startswith("line ")
        assert 1 <= int(wrong.removeprefix("line ").partition(":")[0]) <= text.count("\n") + 1
    assert parse_lines("\n".join(key.line() for key in read)) == read


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("phone", "expected sha256: and 64 hexadecimal digits behind 'phone'"),
        ("phone sha256:00", "expected sha256:"),
        (f"phone sha256:{HEX.replace('0', 'A')}", "expected sha256:"),
        (f"phone md5:{HEX}", "expected sha256:"),
        (f"ph/one sha256:{HEX}", "found 'ph/one'"),
        (f"phone sha256:{HEX} rate=10/x", "such as 10/s; found '10/x'"),
        (f"phone sha256:{HEX} rate=0/s", "such as 10/s; found '0/s'"),
        (f"phone sha256:{HEX} rate", "found 'rate'"),
        (f"phone sha256:{HEX} admin=no", "found 'admin=no'"),
        (f"phone sha256:{HEX} Admin", "found 'Admin'"),
        (f"phone sha256:{HEX} burst=3", "expected rate= too"),
        (f"phone sha256:{HEX} rate=1/s burst=0", "1 or more; found '0'"),
        (f"phone sha256:{HEX} rate=1/s burst=²", "1 or more; found '²'"),
        (f"phone sha256:{HEX} rate=1/s rate=9/s", "rate is given twice"),
        (f"first sha256:{HEX}", "the name of 'first' is in line 2 too"),
        (f"second sha256:{'1' * 64}", "the hash of 'second' is in line 2 too"),
    ],
)
def test_a_wrong_line_is_named(line: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# keys\nfirst sha256:{'1' * 64}\n\n{line}\n", encoding="utf-8")
    with pytest.raises(KeyFileError) as caught:
        read_keys(path)
    assert str(caught.value).startswith(f"{path}, line 4: ")
    assert words in str(caught.value)


def test_a_key_in_a_wrong_place_is_not_repeated(tmp_path: Path) -> None:
    path, secret = tmp_path / "keys", new_key()
    for line in (secret, f"phone {secret}", f"{secret} sha256:{HEX}", f"phone sha256:{HEX} {secret}"):
        path.write_text(line)
        with pytest.raises(KeyFileError) as caught:
            read_keys(path)
        assert secret not in str(caught.value)
        assert secret[len(PREFIX) :] not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="`dirdet key NAME --append "):
        read_keys(tmp_path / "none")
    with pytest.raises(KeyFileError, match="cannot be read: Is a directory"):
        read_keys(tmp_path)
    (tmp_path / "binary").write_bytes(b"a\xff")
    with pytest.raises(KeyFileError, match="byte 1 is none"):
        read_keys(tmp_path / "binary")


def test_a_new_file_is_its_owners_alone_and_one_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    append_key(path, Key("a", digest("a")))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    append_key(path, Key("b", digest("b"), admin=True))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [key.name for key in read_keys(path)] == ["a", "b"]
    assert list(tmp_path.iterdir()) == [path]


def test_appending_keeps_comments_links_and_a_last_line_without_an_end(tmp_path: Path) -> None:
    path, link = tmp_path / "keys", tmp_path / "link"
    path.write_text(f"# ours\na sha256:{HEX}")
    link.symlink_to(path)
    append_key(link, Key("b", digest("b")))
    assert link.is_symlink()
    assert path.read_text().startswith(f"# ours\na sha256:{HEX}\nb sha256:")


def test_appending_refuses_a_broken_file_and_a_name_that_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    append_key(path, Key("a", digest("a")))
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match="there is a key 'a' already"):
        append_key(path, Key("a", digest("b")))
    assert path.read_bytes() == before
    path.write_text("nonsense\n")
    with pytest.raises(KeyFileError, match="line 1"):
        append_key(path, Key("b", digest("b")))
    assert path.read_text() == "nonsense\n"


def test_new_keys_differ_and_are_recognised() -> None:
    made = {new_key() for _ in range(100)}
    assert len(made) == 100
    for key in made:
        assert key.startswith("dirdet_")
        assert redacted(f"GET /detect?key={key}&a=1") == "GET /detect?key=dirdet_...&a=1"

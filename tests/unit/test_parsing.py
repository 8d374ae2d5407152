"""JSON from elsewhere: what is read, what is refused, and in which words."""

from __future__ import annotations

import json
import time

import pytest

from mobile_nelf.parsing import MAX_JSON_BYTES, MAX_JSON_DEPTH, parse_json, shown

GOOD = {"a": [1, -2.5, True, None, "ä ✓ \n"], "b": {"c": {}, "d": [[], [0]]}, "": 2**53}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_json_is_read_in_any_of_its_encodings(encoding):
    assert parse_json(json.dumps(GOOD, ensure_ascii=False).encode(encoding)) == GOOD


def test_text_is_read_with_and_without_its_mark():
    assert parse_json(json.dumps(GOOD)) == parse_json("\ufeff" + json.dumps(GOOD)) == GOOD


def test_as_deep_as_allowed_is_read():
    depth = MAX_JSON_DEPTH - 1
    value = parse_json("[" * depth + "]" * depth)
    for _ in range(depth - 1):
        (value,) = value
    assert value == []


REFUSED = {
    "[" * 100_000: "nested more deeply",
    "[" * MAX_JSON_DEPTH + "1" + "]" * MAX_JSON_DEPTH: "nested more deeply than 32 levels",
    '{"a":' * 500 + "1" + "}" * 500: "nested more deeply",
    "[1" + "0" * 400 + "]": "expected integers up to 2⁵³",
    "[" + "9" * 100_000 + "]": "expected integers up to 2⁵³",
    f"[{2**53 + 1}]": "holds the number '9007199254740993'",
    "[1e400]": "holds the number '1e400', expected finite numbers",
    "[1." + "0" * 10_000 + "]": "expected finite numbers",
    "NaN": "holds NaN, expected finite numbers",
    "[-Infinity]": "holds -Infinity, expected finite numbers",
    '{"a": "x\\u0000y"}': "expected text without NUL",
    '{"x\\u0000y": 1}': "expected text without NUL",
    '["\\ud800"]': "expected text without NUL",
    "": "Expecting value",
    "[1,]": "",
    '{"a" 1}': "Expecting ':' delimiter",
    "[1] 2": "Extra data",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:20])
def test_what_no_file_of_ours_holds_is_refused(text):
    begin = time.process_time()
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (the words are compared below)
        parse_json(text)
    assert REFUSED[text] in str(caught.value)
    assert len(str(caught.value)) < 300
    assert time.process_time() - begin < 2.0


@pytest.mark.parametrize("content", [b"\xff\xfe\xfd", b'"\xe9"', b"\0\0\0"])
def test_what_is_not_unicode_is_refused(content):
    with pytest.raises(ValueError):  # noqa: PT011
        parse_json(content)


def test_a_file_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="has more than 33554432 bytes"):
        parse_json(b" " * (MAX_JSON_BYTES + 1))


def test_numbers_that_are_not_finite_reach_a_reader_that_names_them():
    text = '{"a": NaN, "b": 1e400}'
    assert str(parse_json(text, finite=False)) == "{'a': nan, 'b': inf}"


def test_values_are_shown_in_one_short_line():
    assert shown("a\nb") == r"'a\nb'"
    assert shown(3.5) == "3.5"
    assert shown(10**5000) == "an integer of more than 60 digits"
    assert shown([1] * 1000) == "a list of 1000 entries"
    assert len(shown("x" * 10**6)) < 70
    nested: list = []
    nested.append([nested])
    assert len(shown(nested)) < 70

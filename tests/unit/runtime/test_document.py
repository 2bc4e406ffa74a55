"""Our JSON against the standard library's."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockwright.runtime.document import dumps, loads

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_written_is_read_again(value: Any) -> None:
    for text in (dumps(value), dumps(value, 2)):
        assert json.loads(text) == value
        assert loads(text) == value


@given(VALUES)
def test_indented_as_go_does(value: Any) -> None:
    assert dumps(value, 2) == json.dumps(value, indent=2)


@given(st.text(max_size=40))
def test_refuses_what_json_refuses(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):
            loads(text)
    else:
        if not (isinstance(expected, float) and not math.isfinite(expected)):
            assert loads(text) == expected


@pytest.mark.parametrize("text", ["NaN", "-Infinity", '{"a": NaN}'])
def test_nan_is_no_json(text: str) -> None:
    with pytest.raises(ValueError):
        loads(text)


def test_values_without_a_form() -> None:
    with pytest.raises(TypeError, match="bytes has no form in JSON"):
        dumps({"a": b""})

"""Keys in any case, as Go reads them, and its words for values of the wrong type."""

import pytest

from dockwright.api.encoding import decode
from dockwright.base.errors import InvalidParameter
from dockwright.types.container import CreateRequest


def test_keys_are_read_in_any_case_at_any_depth():
    body = (
        b'{"image": "x", "HOSTCONFIG": {"memory": 5, "portbindings": {"80/tcp": [{"hostport": "1"}]}, '
        b'"mounts": [{"type": "bind"}]}, "labels": {"Image": "kept as it is"}}'
    )
    request = decode(body, CreateRequest)
    assert request.Image == "x" and request.HostConfig.Memory == 5
    assert request.HostConfig.PortBindings["80/tcp"][0].HostPort == "1"
    assert request.HostConfig.Mounts[0].Type == "bind"
    assert request.Labels == {"Image": "kept as it is"}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"Image": 7}', "invalid JSON: json: cannot unmarshal number into Go struct field Image of type string"),
        (
            b'{"HostConfig": {"Memory": "lots"}}',
            "invalid JSON: json: cannot unmarshal string into Go struct field HostConfig.Memory of type int64",
        ),
        (b'{"Image": ', "invalid JSON: unexpected EOF"),
        (b"{} {}", "unexpected content after JSON"),
    ],
)
def test_errors_in_the_words_of_encoding_json(body, text):
    with pytest.raises(InvalidParameter) as caught:
        decode(body, CreateRequest)
    assert caught.value.message == text

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from roles.registry.node import Node, Registration, endpoint_of, node

PATTERNS: TypeAdapter[str] = TypeAdapter(Registration)


@pytest.mark.parametrize(
    "pattern, endpoint, expected",
    [
        ("/osp/engines/{address}:{port}", "198.18.0.1:80", Node("/osp/engines", "198.18.0.1:80")),
        ("/a/b/{address}_{port}", "198.18.0.1:80", Node("/a/b", "198.18.0.1_80")),
        ("/a/at-{port}-of-{address}", "198.18.0.1:80", Node("/a", "at-80-of-198.18.0.1")),
        ("/a/{address}:{port}", "[2001:db8::1]:80", Node("/a", "[2001:db8::1]:80")),
    ],
)
def test_where_a_node_stands(pattern: str, endpoint: str, expected: Node) -> None:
    assert PATTERNS.validate_python(pattern) == pattern
    assert node(pattern, endpoint) == expected
    assert endpoint_of(pattern, expected.name) == endpoint


def test_a_name_that_no_part_of_the_pattern_made() -> None:
    assert endpoint_of("/a/at-{port}-of-{address}", "at-x-of-198.18.0.1") is None
    assert endpoint_of("/a/{address}:{port}", "198.18.0.1") is None


@pytest.mark.parametrize(
    "pattern",
    [
        "/osp/engines",
        "/osp/engines/{address}",
        "/{address}/{port}",
        "osp/{address}:{port}",
        "/{address}:{port}",
        "/osp/{address}:{port}:{name}",
        "/osp/{address}:{port}:{port}",
        "/osp/{address}:{port}/",
    ],
)
def test_a_pattern_that_names_no_node(pattern: str) -> None:
    with pytest.raises(ValidationError, match="expected the path of a node"):
        PATTERNS.validate_python(pattern)

"""Which of the containers on a host is a part's, in whatever moment a run has ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roles.container.instance import Instance, current, is_beside, leftovers, serving
from roles.container.spec import ContainerSpec
from roles.observed import Container, Observed
from tests.unit.build import fitted, running
from tests.unit.container.samples import FULL, PLAIN

SPEC = replace(PLAIN, name="engine", environment={"EXPORT_PORT": "1080"})


def host(*names: str) -> Observed:
    """A host with these containers; one whose name ends in `!` is stopped."""
    return fitted(
        containers=tuple(
            running(replace(SPEC, name=name.rstrip("!")), not name.endswith("!")) for name in names
        )
    )


@pytest.mark.parametrize(
    "names, is_current, serves, left",
    [
        ((), None, None, ""),
        (("engine",), "engine", "engine", ""),
        (("engine!",), "engine", None, ""),
        (("proxy", "engine-failed!"), None, None, ""),
        (("engine-before!",), None, None, ""),
        (("engine", "engine-before!"), "engine", "engine", "engine-before"),
        (("engine", "engine-before"), "engine", "engine", "engine-before"),
        (("engine", "engine-next!"), "engine", "engine", "engine-next"),
        (("engine", "engine-next"), "engine", "engine", "engine-next"),
        (
            ("engine", "engine-before!", "engine-next"),
            "engine",
            "engine",
            "engine-next engine-before",
        ),
        (("engine", "engine-failed!"), "engine", "engine", ""),
        (("engine-before!", "engine-next"), "engine-next", "engine-next", "engine-before"),
        (("engine!", "engine-next"), "engine-next", "engine-next", "engine"),
        (("engine!", "engine-next!"), "engine", None, "engine-next"),
        (("engine-before!", "engine-next!"), None, None, ""),
    ],
    ids=lambda value: "+".join(value) or "none" if isinstance(value, tuple) else None,
)
def test_which_container_is_whose(
    names: tuple[str, ...], is_current: str | None, serves: str | None, left: str
) -> None:
    observed = host(*names)
    found, instance = current(observed, "engine"), serving(observed, "engine")
    assert [each and each.name for each in (found, instance)] == [is_current, serves]
    assert " ".join(container.name for container in leftovers(observed, "engine")) == left


@pytest.mark.parametrize(
    "found, told", [(FULL, FULL.environment), (running(SPEC), {"EXPORT_PORT": "1080"})]
)
def test_an_instance_knows_what_its_container_was_told(
    found: ContainerSpec | Container, told: dict[str, str]
) -> None:
    instance = Instance.of(found)
    assert instance.name == found.name
    assert told.items() <= instance.environment.items()


def test_what_an_instance_was_told_is_not_shown() -> None:
    assert "hush" not in repr(Instance.of(FULL))


@pytest.mark.parametrize(
    "name, expected",
    [
        ("engine-before", True),
        ("engine-next", True),
        ("engine-failed", True),
        ("engine", False),
        ("next-engine", False),
        ("engine-2", False),
    ],
)
def test_the_names_that_a_replacement_gives(name: str, expected: bool) -> None:
    assert is_beside(name) is expected

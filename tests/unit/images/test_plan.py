from __future__ import annotations

from pathlib import Path as File
from typing import Any

import pytest

from roles.images.plan import builds, check, delivered_ids, image_of, plan, transfers
from roles.observed import Image
from roles.run.fleet import Fleet
from tests.unit.build import CONTEXT, change, fleet, image, look_again, member, serving

ENGINE = image_of(member("app-1"), "soa_engine")
PROXY = image_of(member("app-1"), "proxy")
ZOOKEEPER = image_of(member("registry-1"), "registry")


def having(found: Fleet, **images: list[Image]) -> Fleet:
    """The fleet with images on hosts; `app_1` is app-1."""
    for name, on_host in images.items():
        found = look_again(found, name.replace("_", "-"), images=tuple(on_host))
    return found


def built(found: Fleet) -> dict[str, str]:
    return {build.tag: build.builder for build in builds(found)}


def sent(found: Fleet) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(t.sender, t.receiver, t.tags) for t in transfers(found)]


BARE = fleet("app-1", "app-2", "registry-1")


def test_what_no_host_has_is_built_once_on_the_first_host() -> None:
    assert built(BARE) == {ENGINE: "app-1", PROXY: "app-1", ZOOKEEPER: "app-1"}


@pytest.mark.parametrize(
    "names, builder",
    [
        (["registry-1", "app-2", "app-1"], "app-2"),
        (["registry-2", "registry-1"], "registry-2"),
        (["registry-1", "sdk-1"], "sdk-1"),
    ],
    ids=["no-server-of-the-registry", "where-there-are-only-servers", "a-caller"],
)
def test_who_builds(names: list[str], builder: str) -> None:
    assert set(built(fleet(*names)).values()) == {builder}


def test_what_is_built_travels_together_to_those_who_run_it() -> None:
    assert sent(BARE) == [
        ("app-1", "app-2", (ENGINE, PROXY)),
        ("app-1", "registry-1", (ZOOKEEPER,)),
    ]


def test_builds_come_before_transfers() -> None:
    assert [str(found) for found in plan(BARE)] == [
        f"app-1: images: build {ENGINE}: on no host",
        f"app-1: images: build {PROXY}: on no host",
        f"app-1: images: build {ZOOKEEPER}: on no host",
        f"app-2: images: receive {ENGINE} from app-1: absent",
        f"app-2: images: receive {PROXY} from app-1: absent",
        f"registry-1: images: receive {ZOOKEEPER} from app-1: absent",
    ]


def test_a_fleet_that_has_everything_is_left_alone() -> None:
    assert plan(serving(BARE)) == []


def test_what_a_host_has_is_not_built_again_but_sent_from_there() -> None:
    found = having(BARE, app_2=[image(ENGINE), image(PROXY)], registry_1=[image(ZOOKEEPER)])
    assert built(found) == {}
    assert sent(found) == [("app-2", "app-1", (ENGINE, PROXY))]


def test_images_come_each_from_where_they_are() -> None:
    found = having(
        fleet("app-1", "app-2", "app-3", "registry-1"),
        app_2=[image(ENGINE)],
        app_3=[image(PROXY)],
        registry_1=[image(ZOOKEEPER)],
    )
    assert sent(found) == [
        ("app-2", "app-1", (ENGINE,)),
        ("app-3", "app-1", (PROXY,)),
        ("app-3", "app-2", (PROXY,)),
        ("app-2", "app-3", (ENGINE,)),
    ]


def test_one_missing_image_is_built_alone() -> None:
    found = having(serving(BARE), app_1=[image(ENGINE)], app_2=[image(ENGINE)])
    assert built(found) == {PROXY: "app-1"}
    assert sent(found) == [("app-1", "app-2", (PROXY,))]


def test_the_same_tag_with_another_id_is_received_again() -> None:
    found = having(serving(BARE), app_2=[image(ENGINE, "twice"), image(PROXY)])
    first, second = image(ENGINE).id[7:19], image(ENGINE, "twice").id[7:19]
    assert built(found) == {}
    assert [str(found) for found in plan(found)] == [
        f"app-2: images: receive {ENGINE} from app-1: image ID {second} -> {first}"
    ]


def test_a_host_that_does_not_run_a_part_does_not_get_its_image() -> None:
    found = fleet("app-1", member("app-2", groups=("proxy",)), "registry-1")
    assert (("app-1", "app-2", (PROXY,))) in sent(found)


def test_nothing_outside_the_limit_is_changed() -> None:
    found = change(change(BARE, "app-1", in_limit=False), "registry-1", in_limit=False)
    assert built(found) == {ENGINE: "app-2", PROXY: "app-2"}
    assert sent(found) == []


def test_a_host_outside_the_limit_may_send() -> None:
    found = having(serving(BARE), app_2=[])
    assert sent(change(found, "app-1", in_limit=False)) == [("app-1", "app-2", (ENGINE, PROXY))]


def test_another_id_outside_the_limit_is_left_alone() -> None:
    found = having(serving(BARE), app_2=[image(ENGINE, "twice"), image(PROXY)])
    assert plan(change(found, "app-2", in_limit=False)) == []


def test_a_limit_on_nobody_changes_nothing() -> None:
    found = fleet(*(member(name, in_limit=False) for name in ("app-1", "registry-1")))
    assert plan(found) == []


def test_another_context_is_another_image(tmp_path: File) -> None:
    (tmp_path / "Dockerfile").write_text("FROM other\n")
    other = member("app-2", soa_engine={"image": {"context": str(tmp_path)}})
    assert image_of(other, "soa_engine") != ENGINE
    assert set(built(fleet("app-1", other, "registry-1"))) > {ENGINE, image_of(other, "soa_engine")}


@pytest.mark.parametrize(
    "changes, problem",
    [
        (
            {"soa_engine": {"image": {"context": f"{CONTEXT}/absent"}}},
            f"soa_engine.image.context: the build context '{CONTEXT}/absent' does not exist; "
            "expected a folder with a Dockerfile",
        ),
        (
            {"soa_engine": {"image": {"context": str(File(CONTEXT).parent)}}},
            f"soa_engine.image.context: the build context '{File(CONTEXT).parent}' has no "
            "Dockerfile; expected a folder with a Dockerfile",
        ),
        (
            {"images": {"base_archives": {"debian:bookworm-slim": f"{CONTEXT}/no.tar"}}},
            "images.base_archives.debian:bookworm-slim: expected a tar file, found none at "
            f"'{CONTEXT}/no.tar'",
        ),
    ],
    ids=["no-folder", "no-dockerfile", "no-archive"],
)
def test_what_forbids_a_run(changes: dict[str, Any], problem: str) -> None:
    found = fleet(member("app-1", **changes), "registry-1")
    assert [str(found) for found in check(found)] == [f"app-1: {problem}"]


def test_a_part_that_does_not_run_needs_no_context() -> None:
    absent = {"image": {"context": f"{CONTEXT}/absent"}}
    assert check(fleet(member("app-1", sdk=absent), "registry-1")) == []


def test_the_id_that_a_tag_has_after_delivery_is_the_sender_s() -> None:
    found = having(
        BARE,
        app_1=[image(PROXY)],
        app_2=[image(ENGINE), image(PROXY, "twice")],
    )
    assert delivered_ids(found) == {PROXY: image(PROXY).id, ENGINE: image(ENGINE).id}
    assert sent(found)[0] == ("app-2", "app-1", (ENGINE,))
    assert ("app-1", "app-2", (PROXY,)) in sent(found)

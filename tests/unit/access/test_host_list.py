"""The YAML host list: what is wrong with it, said in words; and its text edited."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from pyinfra.api.exceptions import InventoryError

from inventories.host_list import HostEntry, ListError, entry, parsed, read
from inventories.list_edit import added, removed
from roles.access import bastions

LIST = """\
# The hosts of production.
hosts:
  zk-1: {groups: [registry]}  # the first one

  # the application
  app-1: {groups: [engine, proxy]}
  app-2:
    groups: [engine, proxy]
    address: app-2.management.example
    data:
      export_ip: 198.51.100.13   # behind a router
# the end
"""
PROD = Path(__file__).parents[3] / "inventories" / "prod.yaml"


def host(**keys: object) -> HostEntry:
    return entry("new", {"groups": ["engine"], **keys})


def test_a_host_is_added_at_the_end() -> None:
    assert added(LIST, "app-3", host()) == LIST.replace(
        "# the end\n", "  app-3: {groups: [engine]}\n# the end\n"
    )


def test_all_that_an_entry_may_say() -> None:
    new = host(
        address="10.0.0.3",
        port=2222,
        user="ops",
        via=["ops@bastion.example:22"],
        data={"export_ip": "10.1.0.3", "proxy": {"memory_mb": 64}},
    )
    assert added(LIST, "app-3", new).splitlines()[-10:] == [
        "  app-3:",
        "    groups: [engine]",
        "    address: 10.0.0.3",
        "    port: 2222",
        "    user: ops",
        "    via: ['ops@bastion.example:22']",
        "    data:",
        "      export_ip: 10.1.0.3",
        "      proxy: {memory_mb: 64}",
        "# the end",
    ]


@pytest.mark.parametrize("name", ["app-3", "on", "1.5", "12", "null", "a:b", "#x"])
@pytest.mark.parametrize(
    "text",
    [
        LIST,
        LIST.replace("\n", "\r\n"),
        LIST.removesuffix("# the end\n").rstrip("\n"),
        "hosts: {}\n",
        "hosts: {}  # none yet",
        "hosts:\n    a: {groups: [sdk]}\n\n\n# far away\n",
        "hosts:\n  a:\n    groups:\n    - sdk\n    data:\n      x: |\n        one\n        two\n",
        PROD.read_text(),
    ],
    ids=["usual", "crlf", "no-end", "empty", "empty-noted", "wide", "blocks", "prod"],
)
def test_what_is_added_is_removed_again(text: str, name: str) -> None:
    after = added(text, name, host(address="10.9.9.9"))
    assert list(parsed(after)) == [*parsed(text), name]
    comments = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    assert [line for line in after.splitlines() if line in comments] == comments
    assert parsed(removed(after, name)) == parsed(text)
    if parsed(text) and text.endswith("\n"):
        assert removed(after, name) == text


def test_a_host_in_the_middle_is_removed() -> None:
    without = LIST.replace("  app-1: {groups: [engine, proxy]}\n", "")
    assert removed(LIST, "app-1") == without
    assert removed(LIST, "zk-1") == LIST.replace(
        "  zk-1: {groups: [registry]}  # the first one\n", ""
    )


def test_the_last_host_leaves_an_empty_list() -> None:
    assert removed("hosts:\n  a: {groups: [sdk]}\n", "a") == "hosts: {}\n"


@pytest.mark.parametrize(
    "text, name, keys, told",
    [
        (LIST, "app-1", {}, "app-1: is listed already"),
        (LIST, "app-3", {"address": "app-2.management.example"}, "is listed already, as app-2"),
        (LIST, "app-3", {"address": "zk-1"}, "zk-1 port 22 is listed already, as zk-1"),
        ("hosts: {a: {groups: [sdk]}}\n", "b", {}, "edit it by hand"),
        ("hosts: { }\n", "b", {}, "edit it by hand"),
        ("x: &h {groups: [sdk]}\n", "b", {}, "expected one key, 'hosts'"),
    ],
    ids=["name", "address", "name-as-address", "flow", "spaced", "no-hosts"],
)
def test_what_can_not_be_added(text: str, name: str, keys: dict[str, object], told: str) -> None:
    with pytest.raises(ListError, match=told):
        added(text, name, host(**keys))


def test_the_same_address_at_another_port_is_another_host() -> None:
    assert "app-3" in added(LIST, "app-3", host(address="app-2.management.example", port=23))


def test_an_anchor_that_others_use_is_not_removed() -> None:
    text = "hosts:\n  a: &a {groups: [sdk]}\n  b: *a\n"
    with pytest.raises(ListError, match="edit it by hand"):
        removed(text, "a")
    with pytest.raises(ListError, match="c: is not listed"):
        removed(text, "c")


@pytest.mark.parametrize(
    "text, told",
    [
        ("hosts: {a: {grups: [sdk]}}", "a: grups: unknown key; expected one of: groups, address, "),
        ("hosts: {a: {grups: [sdk]}}", "a: groups: missing; expected some of: registry, engine"),
        ("hosts: {a: {groups: []}}", "a: groups: missing"),
        ("hosts: {a: {groups: [engin]}}", "a: groups: there is no group 'engin'; expected some of"),
        ("hosts: {a: {groups: sdk}}", "a: groups: expected a list of groups, found 'sdk'"),
        ("hosts: {a: {groups: [sdk], port: '22'}}", "a: port: expected a number from 1 to 65535"),
        ("hosts: {a: {groups: [sdk], port: 0}}", "a: port: expected a number from 1 to 65535"),
        ("hosts: {a: {groups: [sdk], address: 'x y'}}", "a: address: expected one word"),
        ("hosts: {a: {groups: [sdk], via: ['x:y:']}}", "a: via: expected a bastion such as"),
        ("hosts: {a: {groups: [sdk], via: b}}", "a: via: expected a list of bastions such as"),
        ("hosts: {a: engine}", "a: expected {groups: [...]}, found 'engine'"),
        ("hosts: {on: {groups: [sdk]}}", "True: expected a host's name"),
        ("hosts: {engine: {groups: [sdk]}}", "engine: expected a host's name that --limit takes"),
        ("hosts: {all: {groups: [sdk]}}", "all: expected a host's name that --limit takes"),
        ("hosts: {'app-*': {groups: [sdk]}}", "app-*: expected a host's name that --limit takes"),
        ("hosts: {'app-[1]': {groups: [sdk]}}", "app-[1]: expected a host's name that --limit"),
        ("hosts: [a]", "expected one key, 'hosts'"),
        ("hosts: {}\nothers: {}", "others: unknown key; expected 'hosts' alone"),
        ("hosts: {a: {groups: [sdk]}, a: {groups: [sdk]}}", "a is listed twice"),
        ("hosts: {", "no YAML"),
    ],
)
def test_what_is_wrong_with_a_list(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "prod.yaml"
    file.write_text(text)
    with pytest.raises(InventoryError) as error:
        read(str(file))
    assert told in str(error.value)
    assert str(file) in str(error.value)
    assert "Input should" not in str(error.value)


def test_every_wrong_host_is_told(tmp_path: Path) -> None:
    with pytest.raises(ListError, match=r"a: groups.*b: port"):
        parsed("hosts: {a: {groups: [x]}, b: {groups: [sdk], port: x}}")


def test_a_host_behind_bastions(tmp_path: Path) -> None:
    file = tmp_path / "prod.yaml"
    file.write_text(
        "hosts:\n"
        "  near: {groups: [sdk]}\n"
        "  far: {groups: [sdk], address: 10.0.0.3, via: ['ops@one.example:2222', two.example]}\n"
    )
    (near, its), (far, data) = read(str(file), "known", "/keys/bastion")["sdk"]
    assert (near, its) == ("near", {})
    assert far == "far"
    written = Path(data["ssh_config_file"])
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert written.read_text() == (
        "Host 10.0.0.3\n"
        "  ProxyJump ops@one.example:2222,two.example\n"
        "Host one.example\n"
        "  IdentityFile /keys/bastion\n"
        "Host two.example\n"
        "  IdentityFile /keys/bastion\n"
        "Host *\n"
        "  StrictHostKeyChecking yes\n"
        "  UserKnownHostsFile known\n"
    )
    bastions.remove_written()
    assert not written.exists()


@pytest.mark.parametrize(
    "text, hop",
    [
        ("bastion.example", bastions.Hop("bastion.example")),
        ("ops@bastion:2222", bastions.Hop("bastion", 2222, "ops")),
        ("ops@2001:db8::1", bastions.Hop("2001:db8::1", 22, "ops")),
    ],
)
def test_a_bastion(text: str, hop: bastions.Hop) -> None:
    assert bastions.hop(text) == hop


@pytest.mark.parametrize(
    "text", ["", "-oProxyCommand=x", "a b", "a@-b", "x:0", "x:65536", "x\nUser y", "a,b", "*"]
)
def test_what_is_no_bastion(text: str) -> None:
    with pytest.raises(ValueError, match="expected a bastion such as"):
        bastions.hop(text)

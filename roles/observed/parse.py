"""Turn what the probe printed into an `Observed`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address, ip_network
from itertools import pairwise
from typing import Any

from pyinfra.api.exceptions import PyinfraError

from roles.observed.channel import ENDED_BY_TIMEOUT
from roles.observed.fitness import fitness
from roles.observed.lease import lease_of
from roles.observed.model import (
    Address,
    Container,
    Drained,
    Image,
    IpAddress,
    Newest,
    Observed,
    Path,
    Route,
    Service,
)
from roles.observed.releases import releases
from roles.observed.setup import setup

SPECIAL_ROUTES = frozenset(
    {"anycast", "blackhole", "broadcast", "local", "multicast", "prohibit", "throw", "unreachable"}
)
"""Kinds of routes, as `ip route` names them before the target, that lead to no other host."""

ADDRESS_FLAGS = frozenset({"dadfailed", "deprecated", "temporary"})


class ProbeError(PyinfraError):
    """The probe's output can't be used; the text says why."""


def parse(output: bytes) -> Observed:
    """Parse the output of probe.sh.

    Bytes that are not UTF-8 are replaced; text before the first section (a login banner, what a
    shell's start-up file prints) is ignored.

    Raises:
        ProbeError: the output ended early, or a section is not what it should be.
    """
    sections = _sections(output.decode("utf-8", errors="replace"))
    if "end" not in sections:
        raise ProbeError(f"the probe's output ended early, after {len(output)} bytes")
    try:
        return _observed(sections)
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise ProbeError(f"the probe's output could not be read: {error!r}") from error


def _sections(text: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.split("\n"):  # not splitlines(): Docker prints U+0085 as it is
        if line.startswith("@@"):
            lines = sections.setdefault(line[2:], [])
        elif line:
            lines.append(line)
    return sections


def _observed(sections: dict[str, list[str]]) -> Observed:
    host = _pairs(sections["host"])
    release = {key: value.strip("\"'") for key, value in _pairs(sections["os_release"]).items()}
    cgroup = (sections["cgroup"] or [""])[0].split()
    service = _pairs(sections["service"])
    docker = _pairs(sections.get("docker", []))
    packages = [line.split("|", 2) for line in sections["packages"]]
    there = [
        (state.strip(), name, version) for state, name, version in packages if state[1] in "iUFHWt"
    ]
    asked = [line.split("|") for line in sections["asked"]]
    found = fitness(sections)
    return Observed(
        user_id=int(host["user_id"]),
        kernel=host["kernel"],
        architecture=host["architecture"],
        userland_bits=int(host["userland_bits"] or 0),
        os_id=release.get("ID", ""),
        os_version=release.get("VERSION_ID", ""),
        os_like=tuple(release.get("ID_LIKE", "").split()),
        os_codename=release.get("VERSION_CODENAME", ""),
        init=host["init"],
        cgroup_version=int(cgroup[0]) if cgroup else None,
        cgroup_controllers=frozenset(cgroup[1:]),
        has_overlay=host["overlay"] == "yes",
        addresses=tuple(_addresses(sections["addresses"])),
        routes=tuple(_routes(sections["routes"])),
        packages={name: version for _, name, version in there},
        unfinished=frozenset(name for state, name, _ in there if state[1:] != "i"),
        held=frozenset(name for state, name, _ in there if state[0] == "h")
        | frozenset(" ".join(sections["excluded"]).split()),
        daemon_json=_raw(sections["daemon_json"]),
        docker_service=Service(
            enabled=service.get("enabled") == "enabled",
            active=service.get("active") == "active",
            masked=service.get("enabled", "").startswith("masked"),
        ),
        docker_version=docker.get("version"),
        docker_error=" ".join(filter(None, (line.lstrip("|") for line in sections["docker"][1:])))
        if "exit" in docker
        else None,
        docker_hangs=int(docker.get("exit", 0)) in ENDED_BY_TIMEOUT,
        storage_driver=docker.get("driver"),
        images=tuple(_images(sections.get("images", []))),
        containers=tuple(
            _containers(
                sections.get("containers", []),
                sections.get("inspect", []),
                sections.get("image_configs", []),
                sections.get("updated", []),
            )
        ),
        networks=frozenset(sections.get("networks", [])),
        paths={a[1]: Path(kind=a[2], owner=a[3], mode=a[4]) for a in asked if a[0] == "path"},
        first_lines={a[1]: "|".join(a[2:]) for a in asked if a[0] == "file"},
        newest={a[1]: Newest(a[2], tuple(a[3].split())) for a in asked if a[0] == "newest"},
        sums={a[1]: a[2] for a in asked if a[0] == "sum"},
        resolved={a[1]: ip_address(a[2]) for a in asked if a[0] == "name" and a[2]},
        drained=_drained(sections.get("drained", []), found.time_s or 0),
        fitness=found,
        lease=lease_of(sections.get("lease", []), sections.get("lease_after", [])),
        releases=releases(sections.get("releases", [])),
        setup=setup(sections.get("setup", [])),
    )


def _pairs(lines: list[str]) -> dict[str, str]:
    return {key: value for key, _, value in (line.partition("=") for line in lines)}


def _raw(lines: list[str]) -> str | None:
    """A text whose lines the probe has put a sign before, so that none can look like a section."""
    return "\n".join(line[1:] for line in lines[1:]) if lines else None


def _addresses(lines: list[str]) -> Iterator[Address]:
    for line in lines:
        words = line.split()
        at = words.index("inet6" if "inet6" in words else "inet") + 1
        ip, _, prefix = words[at].partition("/")
        address = ip_address(ip)
        yield Address(
            interface=words[1],
            ip=address,
            prefix=int(prefix or address.max_prefixlen),
            flags=ADDRESS_FLAGS.intersection(words[at + 1 :]),
        )


def _routes(lines: list[str]) -> Iterator[Route]:
    for line in lines:
        first, *hops = line.split("nexthop")
        words = first.split()
        if words[0] in SPECIAL_ROUTES:
            continue
        to = ip_network("0.0.0.0/0" if words[0] == "default" else words[0], strict=False)
        for hop in [words, *([*words, *hop.split()] for hop in hops)]:
            named = _named(hop)
            if "dev" in named and "dead" not in hop:
                yield Route(
                    to=to,
                    interface=named["dev"],
                    source=ip_address(named["src"]) if "src" in named else None,
                    metric=int(named.get("metric", 0)),
                    via=_next_hop(named),
                )


def _named(words: list[str]) -> dict[str, str]:
    """Each word with the one that follows it first; names of values are among them."""
    return dict(reversed(list(pairwise(words))))


def _next_hop(words: dict[str, str]) -> IpAddress | None:
    via = words.get("via")
    via = words[via] if via in ("inet", "inet6") else via  # a next hop of the other family
    return ip_address(via) if via else None


def _images(lines: list[str]) -> Iterator[Image]:
    for line in lines:
        image = json.loads(line)
        yield Image(image["id"], tuple(image["tags"] or ()), tuple(image["layers"] or ()))


def _containers(
    lines: list[str], inspected: list[str], image_configs: list[str], updated: list[str]
) -> Iterator[Container]:
    updates = dict(_updates(updated))
    configs = {image["id"]: image["config"] for image in map(json.loads, image_configs)}
    ours = {inspect["Name"].lstrip("/"): inspect for inspect in map(json.loads, inspected)}
    for line in lines:
        found = json.loads(line)
        inspect = ours.get(found["name"])
        yield Container(
            name=found["name"],
            image=found["image"],
            running=found["state"] in ("running", "paused"),
            inspect=inspect,
            image_config=configs.get(inspect.get("Image")) if inspect else None,
            updated=updates.get(inspect.get("Id"), {}) if inspect else {},
        )


def _drained(lines: list[str], now: float) -> Drained | None:
    """Read the record of a drain. One that is spoilt tells none."""
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        found = Drained.of(json.loads(lines[0].removeprefix("|"))) if lines else None
        return found if found and found.until > now else None
    return None


def _updates(lines: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read the records of updates: the container's ID, and JSON. One that is spoilt tells none."""
    for line in lines:
        container, _, record = line.removeprefix("|").partition(" ")
        with suppress(ValueError, TypeError):
            yield container, dict(json.loads(record))

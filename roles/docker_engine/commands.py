"""How a host is told: the steps of one script, and the files that go with it.

A step is a call of a function of shell/engine.sh, apt.sh or dnf.sh, word by word.
"""

from __future__ import annotations

import shlex
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from roles.container.spec import PART_LABEL
from roles.docker_engine import managed
from roles.docker_engine.materials import Materials
from roles.docker_engine.need import package_need, target
from roles.docker_engine.packages import ALL, COMPANIONS, family, installed_engine, installed_set
from roles.docker_engine.plan import EngineChange, Kind, config, files, has_run, lacks_key
from roles.observed import channel
from roles.run.fleet import Member

SHELL = Path(__file__).parent / "shell"
MANAGERS = {"deb": "apt.sh", "rpm": "dnf.sh"}
KEY, CONFIG, SCRIPT = "key.asc", "daemon.json", "install.sh"

Step = list[str]
Content = bytes | Path
Cargo = Mapping[str, Content]
"""What goes along with the steps: file name to content, or to a file on this machine."""

Told = tuple[list[Step], dict[str, Content]]
NONE: tuple[list[Step], list[Step], dict[str, Content]] = ([], [], {})

MANAGER_STEPS = {
    "look_into_sources",
    "rehearse",
    "rehearse_files",
    "await_lock",
    "prepare_packages",
    "install_packages",
    "without_sources",
    "run_script",
    "hold",
    "unhold",
}
"""The steps that need the package manager's own functions."""

SERVICE_SPARE_S = 30
"""What a stop within a restart may take beyond the start."""

UNPACK_AND_RUN = (
    'dir=$(mktemp -d /tmp/dockyard.XXXXXX) && tar -xf - -C "$dir" && sh "$dir/run.sh"; code=$?; '
    'rm -rf "$dir"; exit $code'
)


def rehearsal(member: Member, materials: Materials) -> Told:
    """Have package manager and engine say what they would do; nothing on the host is changed."""
    spec, key, packages = member.wanted.docker_engine, materials.key, materials.packages
    cargo = _settings(member, scratch=True) | {path.name: path for path in packages}
    steps: list[Step] = []
    if key:
        repository = managed.repository(spec, member.observed)
        cargo |= {KEY: key, repository.name: repository.content}
        steps.append(["look_into_sources", repository.name])
    if package_need(member) is not None:
        if packages:
            steps.append(["rehearse_files", *_as_files(packages), *_going(member)])
        else:
            steps += [] if key else [["look_into_sources", ""]]
            pins = [spec.version or "", *_pinned(member)]
            steps.append(["rehearse", *pins, "--", *_unpinned(member), *_going(member)])
    elif (change := config(member)) and has_run(member.observed):
        cargo |= {CONFIG: change.text.encode()}
        steps.append(["check_config", CONFIG])
    return steps, cargo


def treatment(
    member: Member,
    changes: list[EngineChange],
    materials: Materials,
    containers: Mapping[str, int],
) -> Told:
    """Carry changes out. `containers` (name to seconds) are stopped meanwhile."""
    spec = member.wanted.docker_engine
    kinds = {change.kind for change in changes}
    stop = [stop_containers(containers)] if containers else []
    prepare, install, brought = _installation(member, materials) if "packages" in kinds else NONE
    placed, placed_cargo = _placed(member, kinds, materials)
    configure, configure_cargo = _configuration(member, kinds)
    steps = [["only_one", str(spec.lock_timeout_s)], *placed, *prepare, *stop, *install, *configure]
    if "hold" in kinds or ("packages" in kinds and spec.hold):  # to install is to let go
        steps.append(["hold", *COMPANIONS.get(target(member)[0], ())])
    if kinds - {"hold", "mode"}:
        steps.append(["service_up", str(spec.start_timeout_s)])
    if not has_run(member.observed):  # what an earlier run had to leave stopped
        steps.append(["start_ours", PART_LABEL])
    settings = _settings(member, scratch=bool(materials.packages))
    return [*steps, ["keep"]], settings | brought | placed_cargo | configure_cargo


def stop_containers(containers: Mapping[str, int]) -> Step:
    pairs = [word for name, limit_s in containers.items() for word in (str(limit_s), name)]
    return ["stop_containers", *pairs]


def _placed(member: Member, kinds: set[Kind], materials: Materials) -> Told:
    """Files of ours: the vendor's key and package source, the engine's way out."""
    spec = member.wanted.docker_engine
    steps: list[Step] = []
    cargo: dict[str, Content] = {}
    if lacks_key(member) and materials.key:
        cargo |= {KEY: materials.key}
        steps.append(["put", KEY, managed.key_path(spec, member.observed), "644"])
    for file in files(member):
        if file.gap(member.observed):
            cargo |= {file.name: file.content}
            steps.append(["put", file.name, file.path, file.mode])
    if "proxy" in kinds and spec.proxy is None:
        steps.append(["take_away", managed.PROXY_UNIT])
    return steps, cargo


def _installation(
    member: Member, materials: Materials
) -> tuple[list[Step], list[Step], dict[str, Content]]:
    """What is done while everything runs, what after, and what goes along."""
    spec, wait_s = member.wanted.docker_engine, str(member.wanted.docker_engine.lock_timeout_s)
    # A script knows nothing of holds; our own words go past those of packages that stay.
    staying = () if materials.script else COMPANIONS.get(target(member)[0], ())
    held = [n for n in installed_set(member.observed) if n in member.observed.held]
    loose = [name for name in held if name not in staying]
    unhold = [["unhold", *loose]] if loose else []
    if materials.script:
        return (
            [["await_lock", wait_s]],
            [*unhold, ["run_script", SCRIPT, spec.version or ""]],
            {SCRIPT: materials.script, "proxy.env": managed.proxy_env(spec.proxy)},
        )
    words = [
        *(_as_files(materials.packages) or _exactly(member)),
        *_going(member),
        *_erasing(member),
    ]
    prepare = [["prepare_packages", wait_s, *words]]
    if materials.packages:
        prepare.insert(0, ["without_sources"])
    return (
        prepare,
        [*unhold, ["install_packages", *words]],
        {path.name: path for path in materials.packages},
    )


def _configuration(member: Member, kinds: set[Kind]) -> Told:
    """What the engine is told; it starts anew where it can't take that over otherwise."""
    start_s = str(member.wanted.docker_engine.start_timeout_s)
    steps: list[Step] = []
    if "proxy" in kinds:
        steps.append(["reread_units"])
        if "packages" in kinds or has_run(member.observed):
            steps.append(["service_again", start_s])
    change = config(member)
    if change is None:
        return steps, {}
    how = "restart" if change.restarts or "packages" in kinds else "reload"
    return [*steps, ["configure", CONFIG, how, start_s]], {CONFIG: change.text.encode()}


def _exactly(member: Member) -> list[str]:
    """The engine's own packages in the versions that were rehearsed."""
    sign = "=" if family(member.observed) == "deb" else "-"
    found = [
        (n, member.rehearsed.version_of(n) if member.rehearsed else None) for n in target(member)
    ]
    return [f"{name}{sign}{version}" if version else name for name, version in found]


def _erasing(member: Member) -> list[str]:
    """dnf's leave to remove what the rehearsal has shown, and the survey let pass."""
    rehearsed = member.rehearsed
    is_needed = rehearsed and rehearsed.removals and family(member.observed) == "rpm"
    return ["--allowerasing"] if is_needed else []


def _pinned(member: Member) -> list[str]:
    """The packages that carry the engine's own version."""
    return [name for name in target(member) if not name.startswith("containerd")]


def _unpinned(member: Member) -> list[str]:
    return [name for name in target(member) if name.startswith("containerd")]


def _as_files(packages: list[Path]) -> list[str]:
    return [f"./{path.name}" for path in packages]


def _going(member: Member) -> list[str]:
    """apt's words for the packages of another engine that have to go; dnf finds them itself."""
    old, new = installed_engine(member.observed), target(member)
    if old in (None, new[0]) or family(member.observed) != "deb":
        return []
    coming = COMPANIONS.get(new[0], ())
    return [f"{name}-" for name in installed_set(member.observed) if name not in coming]


def _settings(member: Member, scratch: bool) -> dict[str, Content]:
    proxy = member.wanted.docker_engine.proxy
    if family(member.observed) == "deb":
        return {"apt.conf": managed.apt_conf(proxy, scratch)}
    return {"dnf.conf": managed.dnf_conf(proxy)}


def script(member: Member, steps: list[Step]) -> bytes:
    """The whole script: the functions that the steps need, and then the steps."""
    manager = MANAGERS.get(family(member.observed) or "")
    parts = [SHELL / "engine.sh"]
    if manager and MANAGER_STEPS & {step[0] for step in steps}:
        parts.append(SHELL / manager)
    start_s = member.wanted.docker_engine.start_timeout_s
    lines = [
        f"start_timeout_s={start_s}",
        f"service_timeout_s={start_s + SERVICE_SPARE_S}",
        f"engine_names={shlex.quote(' '.join(sorted(ALL)))}",
        *(part.read_text() for part in parts),
        *(shlex.join(step) for step in steps),
    ]
    return "\n".join([*lines, ""]).encode()


def archive(member: Member, steps: list[Step], cargo: Cargo) -> Iterator[bytes]:
    """The script and its cargo as a tar archive, chunk by chunk."""
    for name, content in {**cargo, "run.sh": script(member, steps)}.items():
        entry = tarfile.TarInfo(name)
        entry.mode = 0o600
        entry.size = len(content) if isinstance(content, bytes) else content.stat().st_size
        yield entry.tobuf()
        yield from [content] if isinstance(content, bytes) else channel.chunks_of(content)
        yield bytes(-entry.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)

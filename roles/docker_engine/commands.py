"""How a host is told: the steps of one script, and the files that go with it.

A step is a call of a function of shell/engine.sh, apt.sh or dnf.sh, word by word.
"""

from __future__ import annotations

import shlex
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from roles.docker_engine import managed
from roles.docker_engine.materials import Materials
from roles.docker_engine.need import package_need, target
from roles.docker_engine.packages import COMPANIONS, family, installed_engine, installed_set
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

UNPACK_AND_RUN = (
    'dir=$(mktemp -d /tmp/dockyard.XXXXXX) && tar -xf - -C "$dir" && sh "$dir/run.sh"; code=$?; '
    'rm -rf "$dir"; exit $code'
)


def rehearsal(member: Member, materials: Materials) -> tuple[list[Step], Cargo]:
    """Have package manager and engine say what they would do; nothing on the host is changed."""
    spec, key, packages = member.wanted.docker_engine, materials.key, materials.packages
    if package_need(member) is None:
        change = config(member)
        text = change.text if change else ""
        return [["check_config", CONFIG]], _settings(member, True) | {CONFIG: text.encode()}
    cargo = _settings(member, scratch=True) | {path.name: path for path in packages}
    if packages:
        return [["rehearse_files", *_as_files(packages), *_going(member)]], cargo
    repository = managed.repository(spec, member.observed) if key else None
    if repository and key:
        cargo |= {KEY: key, repository.name: repository.content}
    look = ["look_into_sources", repository.name if repository else ""]
    pins = [spec.version or "", *_pinned(member)]
    return [look, ["rehearse", *pins, "--", *_unpinned(member), *_going(member)]], cargo


def treatment(
    member: Member,
    changes: list[EngineChange],
    materials: Materials,
    containers: Mapping[str, int],
) -> tuple[list[Step], Cargo]:
    """Carry changes out. `containers` (name to seconds) are stopped meanwhile."""
    spec = member.wanted.docker_engine
    key, packages = materials.key, materials.packages
    kinds = {change.kind for change in changes}
    by_files = bool(packages)
    cargo = _settings(member, scratch=by_files) | {path.name: path for path in packages}
    steps: list[Step] = [["only_one", str(spec.lock_timeout_s)]]
    if "packages" in kinds:
        steps.append(["await_lock", str(spec.lock_timeout_s)])
    if containers:
        pairs = [word for name, limit_s in containers.items() for word in (str(limit_s), name)]
        steps.append(["stop_containers", *pairs])
    if lacks_key(member) and key:
        cargo |= {KEY: key}
        steps.append(["put", KEY, managed.key_path(spec, member.observed), "644"])
    for file in files(member):
        if not file.is_there(member.observed):
            cargo |= {file.name: file.content}
            steps.append(["put", file.name, file.path, file.mode])
    if materials.script:
        cargo |= {SCRIPT: materials.script, "proxy.env": managed.proxy_env(spec.proxy)}
    if "packages" in kinds:
        steps += _installation(member, packages, cargo)
    steps += _configuration(member, kinds, cargo)
    if "hold" in kinds or ("packages" in kinds and spec.hold):  # to install is to let go
        steps.append(["hold", *COMPANIONS.get(target(member)[0], ())])
    if kinds - {"hold"}:
        steps.append(["service_up", str(spec.start_timeout_s)])
    return [*steps, ["keep"]], cargo


def _installation(member: Member, packages: list[Path], cargo: dict[str, Content]) -> list[Step]:
    spec = member.wanted.docker_engine
    coming = COMPANIONS.get(target(member)[0], ())
    held = [n for n in installed_set(member.observed) if n in member.observed.held]
    loose = [name for name in held if name not in coming]
    steps = [["unhold", *loose]] if loose else []
    wait_s = str(spec.lock_timeout_s)
    if spec.source == "script":
        assert spec.script is not None
        steps.append(["run_script", wait_s, SCRIPT, spec.version or ""])
    elif packages:
        steps.append(["install_files", wait_s, *_as_files(packages), *_going(member)])
    else:
        pins = member.rehearsed.pins if member.rehearsed else {}
        sign = "=" if family(member.observed) == "deb" else "-"
        words = [f"{name}{sign}{version}" for name, version in pins.items()]
        steps.append(["install_packages", wait_s, *words, *_unpinned(member), *_going(member)])
    return steps


def _configuration(member: Member, kinds: set[Kind], cargo: dict[str, Content]) -> list[Step]:
    """What the engine is told; it starts anew where it can't take that over otherwise."""
    spec = member.wanted.docker_engine
    start_s = str(spec.start_timeout_s)
    steps: list[Step] = []
    if "file" in kinds and spec.proxy:
        steps.append(["reread_units"])
        if "packages" in kinds or has_run(member.observed):
            steps.append(["service_again", start_s])
    change = config(member)
    if change:
        cargo[CONFIG] = change.text.encode()
        how = "restart" if change.restarts or "packages" in kinds else "reload"
        steps.append(["configure", CONFIG, how, start_s])
    return steps


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
    """The whole script: the functions, and then the steps."""
    manager = MANAGERS.get(family(member.observed) or "")
    parts = [SHELL / "engine.sh", *([SHELL / manager] if manager else [])]
    functions = "\n".join(part.read_text() for part in parts)
    start_s = member.wanted.docker_engine.start_timeout_s
    lines = "".join(f"{shlex.join(step)}\n" for step in steps)
    return f"{functions}\nstart_timeout_s={start_s}\n{lines}".encode()


def archive(member: Member, steps: list[Step], cargo: Cargo) -> Iterator[bytes]:
    """The script and its cargo as a tar archive, chunk by chunk."""
    for name, content in {**cargo, "run.sh": script(member, steps)}.items():
        entry = tarfile.TarInfo(name)
        entry.mode = 0o600
        entry.size = len(content) if isinstance(content, bytes) else content.stat().st_size
        yield entry.tobuf()
        yield from [content] if isinstance(content, bytes) else _chunks(content)
        yield bytes(-entry.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(channel.CHUNK_BYTES):
            yield chunk

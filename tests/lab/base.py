"""Root file systems that hosts and images start from, made once and kept in a cache.

Each is keyed by its recipe (release, packages, scripts, sources): a changed recipe makes a new one
beside the old. A build takes place in a directory of its own and is renamed when it is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import machine
from tests.lab.command import run, say
from tests.lab.files import lock, overlay_options, remove_tree

RELEASES = ("bookworm", "trixie")
PACKAGES = (
    "ca-certificates,dbus,iproute2,iptables,kmod,openssh-server,procps,sudo,systemd,systemd-sysv"
)
HERE = Path(__file__).parent
ROOTFS = HERE / "rootfs"
SCRIPTS = HERE / "scripts"
# Mounts that a build makes vanish with it, whichever way it ends.
ISOLATED = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


def cache() -> Path:
    """Return the cache directory (DOCKYARD_LAB_CACHE)."""
    return Path(os.environ.get("DOCKYARD_LAB_CACHE", "/var/cache/dockyard-lab")).absolute()


def host_layers(release: str, with_docker: bool) -> list[Path]:
    """Return the layers below a host, topmost first; those that are missing are made."""
    base = host_root(release)
    return [docker_layer(release), base] if with_docker else [base]


def host_root(release: str) -> Path:
    """Return the root file system of a bare host: init, SSH and sudo, no Docker, no Python."""

    def build(target: Path) -> None:
        _debootstrap(release, target, PACKAGES)
        _copy_rootfs(target)
        _chroot(target, "setup-base.sh")

    rootfs = {str(f.relative_to(ROOTFS)): f.read_text() for f in _files(ROOTFS)}
    key = _key(release, PACKAGES, rootfs, _script("setup-base.sh"))
    return _made(f"host-{release}-{key}", build)


def docker_layer(release: str) -> Path:
    """Return what Debian's Docker engine adds to a bare host, as an overlay's upper directory."""
    base = host_root(release)

    def build(target: Path) -> None:
        with _scratch(target) as scratch:
            work, merged = scratch / "work", scratch / "merged"
            work.mkdir()
            merged.mkdir()
            shutil.copy("/etc/resolv.conf", scratch)
            mount = 'mount -t overlay overlay -o "$1" "$2" && cp "$3" "$2/etc/resolv.conf"'
            mount += ' && mount --bind /proc "$2/proc" && exec chroot "$2" sh -c "$4"'
            arguments = [
                overlay_options([str(base)], target, work),
                str(merged),
                str(scratch / "resolv.conf"),
            ]
            script = _script("setup-docker.sh")
            run([*ISOLATED, "sh", "-c", mount, "sh", *arguments, script], env=_clean_env())

    return _made(f"docker-{release}-{_key(base.name, _script('setup-docker.sh'))}", build)


def image(release: str) -> Path:
    """Return a tar of a minimal file system without init, for ``docker import``."""

    def build(target: Path) -> None:
        with _scratch(target) as scratch:
            root = scratch / "root"
            _debootstrap(release, root)
            _chroot(root, "setup-image.sh")
            # What differs between two builds is left out: order, times, device nodes.
            options = ["--sort=name", "--mtime=@0", "--numeric-owner", "--exclude=./dev/*"]
            run(["tar", "-C", str(root), *options, "-cf", str(scratch / "image.tar"), "."])
            target.rmdir()
            (scratch / "image.tar").rename(target)

    key = _key(release, _script("setup-image.sh"))
    return _made(f"base-image-{release}-{key}.tar", build)


def _made(name: str, build: Callable[[Path], None]) -> Path:
    """Return the cache entry ``name``, made by ``build`` if it is not there."""
    result = cache() / name
    if result.exists():
        return result
    with lock(cache() / "locks" / name):
        if result.exists():
            return result
        say(f"making {result} (once; a minute or two)")
        building = cache() / "building" / name
        remove_tree(building)  # what a run left that was killed
        building.mkdir(parents=True)
        building.chmod(0o755)
        try:
            build(building)
            building.rename(result)
        finally:
            remove_tree(building)
    return result


@contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    """Make a directory beside ``target``, on the same file system, for as long as it is used."""
    scratch = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        yield scratch
    finally:
        remove_tree(scratch)


def _debootstrap(release: str, target: Path, include: str = "") -> None:
    mirror = next(source for source in machine.apt_sources() if source.suffix == "")
    options = ["--variant=minbase", f"--keyring={machine.KEYRING}", "--force-check-gpg"]
    if include:
        options.append(f"--include={include}")
    argv = ["debootstrap", *options, release, str(target), mirror.uri]
    run([*ISOLATED, *argv], timeout_s=1800, env=_clean_env())
    apt = target / "etc/apt"
    (apt / "sources.list").write_text(_sources_list(release))
    (apt / "apt.conf.d/90machine").write_text(machine.apt_settings())


def _copy_rootfs(target: Path) -> None:
    for source in _files(ROOTFS):
        destination = target / source.relative_to(ROOTFS)
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, destination)
        destination.chmod(0o755 if os.access(source, os.X_OK) else 0o644)


def _chroot(root: Path, script: str) -> None:
    argv = ["chroot", str(root), "sh", "-c", _script(script)]
    run([*ISOLATED, *argv], timeout_s=600, env=_clean_env())


def _clean_env() -> dict[str, str]:
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "LC_ALL": "C.UTF-8", "HOME": "/root"}


def _sources_list(release: str) -> str:
    return "".join(f"{source.line(release)}\n" for source in machine.apt_sources())


def _script(name: str) -> str:
    return (SCRIPTS / name).read_text()


def _files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def _key(*parts: object) -> str:
    sources = [source.line("") for source in machine.apt_sources()]
    recipe = json.dumps([parts, sources, machine.apt_settings()], sort_keys=True)
    return hashlib.sha256(recipe.encode()).hexdigest()[:12]

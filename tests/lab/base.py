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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.lab import machine
from tests.lab.command import LabError, run, say
from tests.lab.files import lock, overlay_options, remove_tree

RELEASES = ("bullseye", "bookworm", "trixie")
MIXED = ("bookworm", "trixie")
FLAVOURS = {
    "docker": "the distribution's Docker engine, enabled at boot",
    "rpm": "looks like Rocky Linux 9: dnf, yum and rpm in place of apt",
    "sysvinit": "sysvinit in place of systemd",
}
"""What a host may be beside bare; each is an overlay layer that scripts/setup-NAME.sh makes."""
ON_BOOKWORM = ("rpm", "sysvinit")
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


def host_layers(release: str, flavours: Sequence[str] = ()) -> list[Path]:
    """Return the layers below a host, topmost first; those that are missing are made.

    ``flavours`` are in the order of their layers, the lowest first.
    """
    layers = [host_root(release)]
    for flavour in flavours:
        layers.insert(0, overlay_layer(f"{flavour}-{release}", layers, f"setup-{flavour}.sh"))
    return layers


def check_kind(release: str, flavours: Sequence[str]) -> None:
    """Raise LabError if there is no such host."""
    if release not in RELEASES:
        raise LabError(f"release {release!r} is unknown (known: {', '.join(RELEASES)})")
    for flavour in flavours:
        if flavour not in FLAVOURS:
            raise LabError(f"flavour {flavour!r} is unknown (known: {', '.join(FLAVOURS)})")
        if flavour in ON_BOOKWORM and release != "bookworm":
            raise LabError(f"flavour {flavour!r} is made from bookworm only, not from {release}")
    if "rpm" in flavours and len(flavours) > 1:
        raise LabError("flavour 'rpm' goes with no other: such a host has no apt")


def host_root(release: str) -> Path:
    """Return the root file system of a bare host: init, SSH and sudo, no Docker, no Python."""

    def build(target: Path) -> None:
        _debootstrap(release, target, PACKAGES)
        _copy_rootfs(target)
        _chroot(target, "setup-base.sh")

    rootfs = {str(f.relative_to(ROOTFS)): f.read_text() for f in _files(ROOTFS)}
    digest = key(release, PACKAGES, rootfs, _script("setup-base.sh"))
    return made(f"host-{release}-{digest}", build)


def overlay_layer(name: str, below: Sequence[Path], script: str) -> Path:
    """Return what a script adds to the layers ``below``, as an overlay's upper directory."""

    def build(target: Path) -> None:
        with _scratch(target) as scratch:
            work, merged = scratch / "work", scratch / "merged"
            work.mkdir()
            merged.mkdir()
            shutil.copy("/etc/resolv.conf", scratch)
            mount = 'mount -t overlay overlay -o "$1" "$2" && cp "$3" "$2/etc/resolv.conf"'
            mount += ' && mount --bind /proc "$2/proc" && exec chroot "$2" sh -c "$4"'
            arguments = [
                overlay_options([str(layer) for layer in below], target, work),
                str(merged),
                str(scratch / "resolv.conf"),
            ]
            command = [*ISOLATED, "sh", "-c", mount, "sh", *arguments, _script(script)]
            run(command, timeout_s=1200, env=_clean_env())

    digest = key(*(layer.name for layer in below), _script(script))
    return made(f"{name}-{digest}", build)


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

    digest = key(release, _script("setup-image.sh"))
    return made(f"base-image-{release}-{digest}.tar", build)


def made(name: str, build: Callable[[Path], None]) -> Path:
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


def key(*parts: object) -> str:
    sources = [source.line("") for source in machine.apt_sources()]
    recipe = json.dumps([parts, sources, machine.apt_settings()], sort_keys=True)
    return hashlib.sha256(recipe.encode()).hexdigest()[:12]

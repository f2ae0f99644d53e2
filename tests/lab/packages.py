"""Packages of the Docker engine with the names, versions and relations of Docker's own.

Their programs are Debian's, and say so: ``docker version`` has "+dfsg1" behind the number. They are
built once into the cache, signed and unsigned: rpms carry a signature of their own, debs that of
their repository.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab import base, machine
from tests.lab.command import LabError, run

PACKAGING = base.HERE / "packaging"
NUMBERS = {"bullseye": 11, "bookworm": 12, "trixie": 13}
RPM = "el9"
ENGINES = {
    "bullseye": ("20.10.5",),
    "bookworm": ("20.10.24", "26.1.5"),
    "trixie": ("20.10.24", "26.1.5"),
    RPM: ("20.10.24", "26.1.5"),
}
"""The engine's versions for each release, the oldest first. Bullseye's glibc runs its own alone."""
SOURCES = {"20.10.5": "bullseye", "20.10.24": "bookworm", "26.1.5": "trixie"}
"""The release that has this version itself, and whose programs it is."""
DOCKER_UNITS, CONTAINERD_UNITS = "docker.service docker.socket", "containerd.service"
RPM_NAME = "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm"
OLD = "docker (<< 1.5~), docker-engine, docker-engine-cs, docker.io, lxc-docker"


@dataclass(frozen=True)
class Key:
    """An OpenPGP key of the lab: ``public`` is its armoured public half."""

    fingerprint: str
    public: Path
    secret: Path


def key(name: str = "lab") -> Key:
    """Return the key that signs, or with the name "wrong" one that signs nothing."""
    _require()

    def build(target: Path) -> None:
        with gpg_home() as home:
            gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
            make = ["--pinentry-mode", "loopback", "--passphrase", "", "--quick-generate-key"]
            run([*gpg, *make, f"Lab {name} <{name}@lab.invalid>", "rsa3072", "sign", "never"])
            run([*gpg, "--armor", "--output", str(target / "public.asc"), "--export"])
            run([*gpg, "--armor", "--output", str(target / "secret.asc"), "--export-secret-keys"])
            listing = run([*gpg, "--with-colons", "--list-keys"]).stdout.splitlines()
            fingerprint = next(line.split(":")[9] for line in listing if line.startswith("fpr:"))
            (target / "fingerprint").write_text(fingerprint)

    made = base.made(f"key-{name}", build)
    fingerprint = (made / "fingerprint").read_text()
    return Key(fingerprint, made / "public.asc", made / "secret.asc")


def package_files(release: str, version: str, signed: bool = True) -> list[Path]:
    """Return the package files of this engine: docker-ce, docker-ce-cli and containerd.io.

    ``release`` is one of Debian's or "el9". Only rpms differ by ``signed``.
    """
    if version not in ENGINES.get(release, ()):
        known = ", ".join(f"{name}: {' '.join(has)}" for name, has in ENGINES.items())
        raise LabError(f"there is no engine {version} for {release} (there is {known})")
    _require()
    directory = _rpms(version) if release == RPM else _debs(release, version)
    return sorted((directory / ("signed" if signed and release == RPM else "")).glob("*.*"))


def podman_docker(release: str) -> Path:
    """Return a package with a ``docker`` command that conflicts with Docker's own."""
    _require()

    def build(target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            tree = Path(scratch) / "tree"
            command = tree / "usr/bin/docker"
            command.parent.mkdir(parents=True)
            command.write_text('#!/bin/sh\necho "podman version 5.2.2"\n')
            command.chmod(0o755)
            if release == RPM:
                _rpmbuild("podman-docker", tree, target, {})
                return
            conflicts = "docker.io, docker-ce, docker-ce-cli, docker-cli"
            fields = {"Version": "5.2.2+ds1-1", "Conflicts": conflicts}
            _deb(target, tree, "podman-docker", fields, "", "")

    recipe = base.key((PACKAGING / "podman-docker.spec").read_text(), _recipe())
    return next(base.made(f"podman-docker-{release}-{recipe}", build).glob("*.*"))


def sha256(file: Path) -> str:
    """Return a file's checksum as sha256sum prints it."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def gpg_home(*keys: Key) -> Iterator[Path]:
    """Have a home of gpg with these secret keys; its agent ends with it."""
    home = Path(tempfile.mkdtemp(prefix="gpg."))  # short, since sockets lie in it
    try:
        for each in keys:
            run(["gpg", "--homedir", str(home), "--batch", "--import", str(each.secret)])
        yield home
    finally:
        run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
        shutil.rmtree(home, ignore_errors=True)


def _debs(release: str, version: str) -> Path:
    def build(target: Path) -> None:
        for tree, name, fields, service, units in _deb_recipes(release, version, target):
            _deb(target, tree, name, fields, service, units)
            shutil.rmtree(tree)

    recipe = base.key(_origins(release, version), _packaging(), _recipe())
    return base.made(f"debs-{release}-{version}-{recipe}", build)


def _deb_recipes(
    release: str, version: str, target: Path
) -> Iterator[tuple[Path, str, dict[str, str], str, str]]:
    containerd = _containerd_version(version)
    suffix = f"1~debian.{NUMBERS[release]}~{release}"
    relations = {"Conflicts": OLD, "Replaces": "docker-engine"}
    engine = {
        "Version": f"5:{version}-{suffix}",
        "Depends": f"containerd.io (>= {containerd}), docker-ce-cli, iptables, libc6,"
        " libdevmapper1.02.1, libseccomp2 (>= 2.3.0), libsystemd0",
        "Recommends": "apparmor, ca-certificates, docker-ce-rootless-extras, git, pigz, procps,"
        " xz-utils",
        **relations,
    }
    cli = {
        "Version": f"5:{version}-{suffix}",
        "Depends": "libc6",
        "Recommends": "docker-buildx-plugin, docker-compose-plugin",
        **relations,
    }
    runtime = {
        "Version": f"{containerd}-1",
        "Depends": "libc6, libseccomp2 (>= 2.5.0)",
        "Provides": "containerd, runc",
        "Conflicts": "containerd, runc",
        "Replaces": "containerd, runc",
    }
    trees = target / "trees"
    _lay_out(release, version, trees, "lib/systemd/system")
    yield trees / "docker-ce", "docker-ce", engine, "docker", DOCKER_UNITS
    yield trees / "docker-ce-cli", "docker-ce-cli", cli, "", ""
    yield trees / "containerd.io", "containerd.io", runtime, "containerd", CONTAINERD_UNITS
    trees.rmdir()


def _lay_out(release: str, version: str, trees: Path, units: str) -> None:
    """Make a tree for each package, with the programs where Docker's own have them."""
    engine, runtime = _sources(release, version)
    if f"Version: {version}+" not in (found := (engine / "docker.io.version").read_text()):
        raise LabError(f"{SOURCES[version]} has no Docker {version} any more: {found}")

    def put(package: str, source: Path, path: str, mode: int = 0o755) -> None:
        file = trees / package / path
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, file)
        file.chmod(mode)

    put("docker-ce", engine / "usr/sbin/dockerd", "usr/bin/dockerd")
    put("docker-ce", engine / "usr/sbin/docker-proxy", "usr/bin/docker-proxy")
    put("docker-ce", engine / "usr/bin/tini-static", "usr/bin/docker-init")
    for unit in DOCKER_UNITS.split():
        put("docker-ce", PACKAGING / unit, f"{units}/{unit}", 0o644)
    put("docker-ce-cli", engine / "usr/bin/docker", "usr/bin/docker")
    for program in ("containerd", "ctr", "containerd-shim-runc-v2"):
        put("containerd.io", engine / f"usr/bin/{program}", f"usr/bin/{program}")
    put("containerd.io", runtime / "usr/sbin/runc", "usr/bin/runc")
    put("containerd.io", PACKAGING / CONTAINERD_UNITS, f"{units}/{CONTAINERD_UNITS}", 0o644)
    put("containerd.io", PACKAGING / "config.toml", "etc/containerd/config.toml", 0o644)
    if release != RPM:
        put("docker-ce", engine / "etc/init.d/docker", "etc/init.d/docker")
        script = trees / "docker-ce/etc/init.d/docker"
        script.write_text(script.read_text().replace("/usr/sbin/dockerd", "/usr/bin/dockerd"))


def _deb(
    target: Path, tree: Path, name: str, fields: dict[str, str], service: str, units: str
) -> None:
    control = tree / "DEBIAN"
    control.mkdir(parents=True)
    lines = {
        "Package": name,
        "Architecture": "amd64",
        "Maintainer": "Lab <lab@lab.invalid>",
        "Section": "admin",
        "Priority": "optional",
        "Description": f"{name} for lab hosts",
        **fields,
    }
    (control / "control").write_text("".join(f"{key}: {text}\n" for key, text in lines.items()))
    etc = sorted(file for file in (tree / "etc").rglob("*") if file.is_file())
    if etc:
        conffiles = "".join(f"/{file.relative_to(tree)}\n" for file in etc)
        (control / "conffiles").write_text(conffiles)
    for script in ("postinst", "prerm", "postrm") if service else ():
        text = (PACKAGING / f"{script}.sh").read_text()
        (control / script).write_text(text.replace("UNITS", units).replace("SERVICE", service))
        (control / script).chmod(0o755)
    version = fields["Version"].rpartition(":")[2]
    file = target / f"{name}_{version}_amd64.deb"
    run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(tree), str(file)])


def _rpms(version: str) -> Path:
    signing = key()

    def build(target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            trees, tree = Path(scratch) / "trees", Path(scratch) / "tree"
            _lay_out(RPM, version, trees, "usr/lib/systemd/system")
            for package in trees.iterdir():
                shutil.copytree(package, tree, dirs_exist_ok=True)
            versions = {"engine": version, "containerd": _containerd_version(version)}
            _rpmbuild("docker-ce", tree, target, versions)
        shutil.copytree(target, target / "signed", ignore=shutil.ignore_patterns("signed"))
        files = [str(file) for file in (target / "signed").iterdir()]
        with gpg_home(signing) as home:
            macros = {
                "__gpg": shutil.which("gpg") or "gpg",
                "_gpg_name": signing.fingerprint,
                "_gpg_path": str(home),
            }
            run(["rpmsign", *_defined(macros), "--addsign", *files])

    recipe = base.key(_origins(RPM, version), _packaging(), _recipe(), signing.fingerprint)
    return base.made(f"rpms-{version}-{recipe}", build)


def _rpmbuild(name: str, tree: Path, target: Path, versions: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as top:
        spec = Path(top) / f"{name}.spec"
        install = f"%install\nmkdir -p %{{buildroot}}\ncp -a {tree}/. %{{buildroot}}/\n"
        spec.write_text((PACKAGING / f"{name}.spec").read_text() + install)
        macros = {"_topdir": top, "dist": ".el9", "_dbpath": f"{top}/db", **versions}
        macros |= {"__os_install_post": "%{nil}", "_rpmdir": str(target), "_rpmfilename": RPM_NAME}
        run(["rpmbuild", "--quiet", *_defined(macros), "-bb", str(spec)])


def _defined(macros: dict[str, str]) -> list[str]:
    return [part for name, value in macros.items() for part in ("--define", f"{name} {value}")]


def _sources(release: str, version: str) -> tuple[Path, Path]:
    """Return where the engine's programs are, and where a runc is that runs on this release."""
    own = "bookworm" if release == RPM else release
    return _unpacked(SOURCES[version]), _unpacked(own)


def _origins(release: str, version: str) -> list[str]:
    return [source.parent.name for source in _sources(release, version)]


def _unpacked(release: str) -> Path:
    layer = base.overlay_layer(f"engine-{release}", [base.host_root(release)], "fetch-engine.sh")
    return layer / "engine"


def _containerd_version(version: str) -> str:
    """Return the upstream version of the containerd that came with this engine."""
    text = (_unpacked(SOURCES[version]) / "containerd.version").read_text()
    found = text.rpartition("Version: ")[2].strip()
    return found.partition("~")[0].partition("+")[0].partition("-")[0]


def _packaging() -> dict[str, str]:
    return {file.name: file.read_text() for file in sorted(PACKAGING.iterdir())}


def _recipe() -> str:
    return Path(__file__).read_text()


def _require() -> None:
    machine.require()
    machine.require_programs(machine.PACKAGING)

"""Hosts of every kind, and the packages and repositories that the lab builds for them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.lab import Lab, LabError, LabHost, packages
from tests.lab.packages import ENGINES, NUMBERS
from tests.lab.repository import Repository

DISK_MB = 900
INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends"


@pytest.fixture(scope="module")
def rpm_host(kinds: Lab) -> LabHost:
    kinds.add("rpm", flavours=["rpm"])
    kinds.reset("rpm")
    return kinds["rpm"]


@pytest.fixture(scope="module")
def old(kinds: Lab) -> LabHost:
    return kinds.add("bullseye", "bullseye", docker_disk_mb=DISK_MB)


def use_deb(host: LabHost, repo: Repository, key: Path) -> None:
    """Name the repository to apt, with the key that it must be signed with."""
    upload(host, key.read_bytes(), "/etc/apt/keyrings/docker.asc")
    line = f"deb [signed-by=/etc/apt/keyrings/docker.asc] {repo.url}/debian {host.release} stable\n"
    upload(host, line.encode(), "/etc/apt/sources.list.d/docker.list")


def use_rpm(host: LabHost, repo: Repository, key: str) -> None:
    """Name the repository to dnf, with the address of the key that signs its packages."""
    text = f"""[docker-ce-stable]
name=Docker CE Stable - $basearch
baseurl={repo.url}/rhel/$releasever/$basearch/stable
enabled=1
gpgcheck=1
gpgkey={key}
"""
    upload(host, text.encode(), "/etc/yum.repos.d/docker-ce.repo")


def upload(host: LabHost, content: bytes, path: str) -> None:
    command = f"mkdir -p $(dirname {path}) && cat > {path}"
    subprocess.run([*host.ssh_command(), command], input=content, check=True)


def assert_runs_containers(lab: Lab, host: LabHost, version: str) -> None:
    found = host.run("docker version --format '{{.Server.Version}}'").stdout
    assert found.partition("+")[0].strip() == version
    if not host.run("docker images --quiet").stdout:
        with lab.base_image("bookworm").open("rb") as tar:
            command = [*host.ssh_command(), "docker import - debian:bookworm-slim"]
            subprocess.run(command, stdin=tar, check=True, capture_output=True)
    container = "docker run --rm --memory 100m debian:bookworm-slim cat /etc/debian_version"
    assert host.run(container).stdout.startswith("12.")


def test_an_rpm_host_looks_like_one(rpm_host: LabHost) -> None:
    assert rpm_host.run(". /etc/os-release; echo $ID $VERSION_ID").stdout == "rocky 9.5\n"
    assert rpm_host.run("rpm -E %rhel").stdout == "9\n"
    for database in ("rpm -q rocky-release", "dnf -q list --installed rocky-release"):
        assert "rocky-release" in rpm_host.run(database).stdout
    assert rpm_host.run("yum repolist").stdout == ""
    assert rpm_host.run("command -v apt-get dpkg docker", check=False).stdout == ""
    assert rpm_host.run("systemctl is-system-running --wait").stdout == "running\n"


def test_dnf_refuses_packages_that_are_not_signed(rpm_host: LabHost, repo: Repository) -> None:
    def refused(reason: str) -> bool:
        run = rpm_host.run("dnf clean all; dnf -y install docker-ce-cli", check=False)
        return run.returncode != 0 and reason in run.stdout + run.stderr

    upload(rpm_host, repo.wrong_key.read_bytes(), "/etc/pki/rpm-gpg/wrong")
    use_rpm(rpm_host, repo, "file:///etc/pki/rpm-gpg/wrong")
    assert refused("wrong key(s)?")
    use_rpm(rpm_host, repo, f"{repo.url}/rhel/gpg")
    repo.unsigned("/rhel/9")
    assert refused("is not signed")
    assert rpm_host.run("rpm -q docker-ce-cli", check=False).returncode == 1


@pytest.mark.full
def test_an_rpm_host_runs_the_engine_and_upgrades_it(
    kinds: Lab, rpm_host: LabHost, repo: Repository
) -> None:
    use_rpm(rpm_host, repo, f"{repo.url}/rhel/gpg")
    rpm_host.run("dnf clean all")
    first, second = ENGINES["el9"]
    rpm_host.run(f"dnf -y install docker-ce-{first} docker-ce-cli-{first} containerd.io-1.6.20")
    # As Docker's own do for this family, the package neither enables nor starts its service.
    assert rpm_host.run("systemctl is-active docker", check=False).stdout == "inactive\n"
    assert rpm_host.run("systemctl is-enabled docker", check=False).stdout == "disabled\n"
    rpm_host.run("systemctl enable --now docker")
    assert_runs_containers(kinds, rpm_host, first)

    rpm_host.run("echo 'exclude=docker-ce*' >> /etc/dnf/dnf.conf; dnf -y upgrade")
    assert rpm_host.run("rpm -q docker-ce").stdout == f"docker-ce-{first}-1.el9.x86_64\n"
    rpm_host.run("sed -i /exclude=/d /etc/dnf/dnf.conf; dnf -y upgrade")
    assert rpm_host.run("rpm -q docker-ce").stdout == f"docker-ce-{second}-1.el9.x86_64\n"
    assert_runs_containers(kinds, rpm_host, second)
    assert f"/rhel/9/x86_64/stable/Packages/docker-ce-{second}-1.el9.x86_64.rpm" in repo.requests
    conflict = packages.podman_docker("el9")
    upload(rpm_host, conflict.read_bytes(), f"/root/{conflict.name}")
    refused = rpm_host.run(f"dnf -y --nogpgcheck install /root/{conflict.name}", check=False)
    assert "conflicts with" in refused.stdout + refused.stderr


@pytest.mark.full
@pytest.mark.parametrize("release", NUMBERS)
def test_each_debian_runs_the_engines_that_there_are_for_it(
    kinds: Lab, old: LabHost, repo: Repository, release: str
) -> None:
    host = old if release == old.release else kinds.add(release, release)
    if host is not old:
        kinds.reset(release)
    use_deb(host, repo, repo.wrong_key)
    refused = host.run("apt-get update", check=False)
    assert refused.returncode == 100
    assert "is not signed" in refused.stderr
    use_deb(host, repo, repo.key)
    repo.unsigned("/debian/dists")
    refused = host.run("apt-get update", check=False)
    assert refused.returncode == 100
    assert "does not have a Release file" not in refused.stderr
    assert "is not signed" in refused.stderr
    repo.heal()
    host.run("apt-get update")
    for version in ENGINES[release]:
        suffix = f"5:{version}-1~debian.{NUMBERS[release]}~{release}"
        host.run(f"{INSTALL} docker-ce={suffix} docker-ce-cli={suffix} containerd.io")
        assert host.run("systemctl is-active docker.service containerd.service").stdout == (
            "active\nactive\n"
        )
        assert_runs_containers(kinds, host, version)
    installed = "dpkg-query --show --showformat '${db:Status-Abbrev}' docker-ce"
    host.run(f"{INSTALL} docker.io")
    assert host.run(installed, check=False).stdout.strip() != "ii"


def test_a_small_disk_is_that_small_also_after_a_reboot(old: LabHost) -> None:
    size = "df --output=target,fstype,size --block-size=1M /var/lib/docker | tail -n 1"
    before = old.run(f"touch /var/lib/docker/kept; {size}").stdout.split()
    assert before[:2] == ["/var/lib/docker", "ext4"]
    assert 0.9 * DISK_MB < int(before[2]) < DISK_MB
    full = old.run(f"fallocate -l {DISK_MB}M /var/lib/docker/full", check=False)
    assert "No space left on device" in full.stderr
    old.run("rm -f /var/lib/docker/full")
    old.reboot()
    assert old.run(f"test -e /var/lib/docker/kept && {size}").stdout.split() == before


@pytest.mark.full
def test_a_host_with_sysvinit_runs_docker_and_comes_back(kinds: Lab) -> None:
    kinds.add("sysvinit", flavours=["sysvinit"])
    kinds.reset("sysvinit")
    host = kinds["sysvinit"]
    addresses = [address for address in (host.address, host.address6) if address]
    assert host.run("cat /proc/1/comm; hostname -I").stdout.split() == ["init", *addresses]
    assert host.run("test -e /run/systemd/system", check=False).returncode == 1
    host.run(f"apt-get -q update && {INSTALL} docker.io", timeout_s=300)
    host.run("service docker start && timeout 30 sh -c 'until docker info; do sleep 0.2; done'")
    assert_runs_containers(kinds, host, "20.10.24")
    host.run(
        "docker run --detach --init --restart always --name kept debian:bookworm-slim sleep 1000"
    )
    host.reboot()
    host.run("timeout 30 sh -c 'until docker ps | grep kept; do sleep 0.2; done'")
    host.run("echo 'echo $1 > /root/stopped' > /etc/init.d/mark; chmod +x /etc/init.d/mark")
    host.run("ln -s ../init.d/mark /etc/rc0.d/K01mark")
    host.stop()
    assert not host.is_running
    assert (host.upper / "root/stopped").read_text() == "stop\n"


def test_a_repository_can_be_gone_or_hang_or_be_slow(rpm_host: LabHost, repo: Repository) -> None:
    fetch = f"curl --silent --show-error --fail --max-time 2 {repo.url}/rhel/gpg"
    assert "PUBLIC KEY" in rpm_host.run(fetch).stdout
    repo.missing("/rhel")
    assert "404" in rpm_host.run(fetch, check=False).stderr
    repo.hang("/rhel/gpg")
    assert "timed out" in rpm_host.run(fetch, check=False).stderr
    repo.slow("/rhel", bytes_per_s=1000)
    assert "timed out" in rpm_host.run(fetch, check=False).stderr
    repo.heal()
    rpm_host.run(fetch)
    assert repo.requests == ["/rhel/gpg"] * 5


def test_files_for_a_host_without_a_network_are_there() -> None:
    names = {file.name.split("_")[0] for file in packages.package_files("trixie", "26.1.5")}
    assert names == {"docker-ce", "docker-ce-cli", "containerd.io"}
    [file, *_] = packages.package_files("el9", "20.10.24")
    output = subprocess.run(["sha256sum", str(file)], capture_output=True, text=True, check=True)
    assert output.stdout.split()[0] == packages.sha256(file)
    with pytest.raises(LabError, match=r"no engine 26\.1\.5 for bullseye"):
        packages.package_files("bullseye", "26.1.5")


def test_a_kind_of_host_that_there_is_not_is_named(kinds: Lab) -> None:
    with pytest.raises(LabError, match="made from bookworm only"):
        kinds.add("never", "trixie", flavours=["rpm"])
    with pytest.raises(LabError, match="'potato' is unknown"):
        kinds.add("never", "potato")

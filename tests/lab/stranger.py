"""A host that the data centre has just handed over: only a first password opens it."""

from __future__ import annotations

import subprocess

from tests.lab.host import LabHost


def lock_away(host: LabHost, password: str) -> None:
    """Let root in by this password alone; `deployer` and `ops` still by the tests' key."""
    settings = "PasswordAuthentication yes\\nPermitRootLogin yes\\n"
    host.feed(f"root:{password}\n".encode(), "chpasswd")
    host.run(
        f"printf '{settings}' >/etc/ssh/sshd_config.d/first.conf && rm /root/.ssh/authorized_keys"
        " && systemctl restart ssh"
    )


def let_in(host: LabHost) -> None:
    """Have the tests' own login back, through the user that looks after the host now."""
    key = host.private_key.with_name(f"{host.private_key.name}.pub").read_bytes()
    put = "sudo install -D -m 600 /dev/stdin /root/.ssh/authorized_keys"
    subprocess.run([*host.ssh_command("ops"), put], input=key, check=True, timeout=30)


def fingerprint(host: LabHost) -> str:
    """Of its key, as `ssh-keygen -lf` shows it at the console."""
    public = host.host_key.with_name(f"{host.host_key.name}.pub")
    told = subprocess.run(["ssh-keygen", "-lf", public], capture_output=True, text=True)
    return told.stdout.split()[1]

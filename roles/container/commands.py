"""How Docker is told: each function returns one command line, word by word."""

from __future__ import annotations

from roles.container.spec import PART_LABEL, SPEC_LABEL, ContainerSpec
from roles.observed import Container


def run(spec: ContainerSpec) -> list[str]:
    """Create and start; the variables come by stdin, never in a process list."""
    command = ["docker", "run", "--detach", "--name", spec.name, "--env-file", "/dev/stdin"]
    command += ["--label", f"{PART_LABEL}={spec.part}", "--label", f"{SPEC_LABEL}={spec.label}"]
    command += ["--log-driver", "json-file", "--log-opt", "max-size=10m", "--log-opt", "max-file=3"]
    command += ["--network", spec.network, "--restart", spec.restart]
    command += ["--stop-timeout", str(spec.stop_timeout_s)]
    command += [word for port in spec.publish for word in ("--publish", port)]
    command += [word for volume in spec.volumes for word in ("--volume", volume)]
    if spec.user:
        command += ["--user", spec.user, "--cap-drop", "ALL"]
        command += ["--security-opt", "no-new-privileges"]
    if spec.memory_mb:
        command += ["--memory", f"{spec.memory_mb}m"]
    if spec.pids:
        command += ["--pids-limit", str(spec.pids)]
    return [*command, spec.image]


def environment_file(spec: ContainerSpec) -> bytes:
    return "".join(f"{name}={value}\n" for name, value in spec.environment.items()).encode()


def stop(name: str, timeout_s: int) -> list[str]:
    return ["docker", "stop", "--time", str(timeout_s), name]


def restart(name: str, timeout_s: int) -> list[str]:
    return ["docker", "restart", "--time", str(timeout_s), name]


def start(name: str) -> list[str]:
    return ["docker", "start", name]


def remove(name: str) -> list[str]:
    """Remove a container and the nameless volumes that it leaves; the host's directories stay."""
    return ["docker", "rm", "--volumes", name]


def update(spec: ContainerSpec) -> list[str]:
    return ["docker", "update", "--restart", spec.restart, spec.name]


def rename(name: str, new: str) -> list[str]:
    return ["docker", "rename", name, new]


def never_restart(name: str) -> list[str]:
    """Have a container stay as it is, also when the engine or the host starts again."""
    return ["docker", "update", "--restart", "no", name]


def restart_as(name: str, found: Container) -> list[str]:
    """Give a container the restart policy back that it was found with."""
    policy = ((found.inspect or {}).get("HostConfig") or {}).get("RestartPolicy") or {}
    kind, count = policy.get("Name") or "no", policy.get("MaximumRetryCount") or 0
    return ["docker", "update", "--restart", f"{kind}:{count}" if count else kind, name]


def signal(name: str, signal: str) -> list[str]:
    return ["docker", "kill", "--signal", signal, name]


def last_logs(name: str) -> list[str]:
    return ["docker", "logs", "--tail", "15", name]

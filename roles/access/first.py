"""Before a bootstrap run connects: whose keys are these, and what does a new host let in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from paramiko import PKey
from pydantic import ValidationError
from pyinfra.api import Host, State
from pyinfra.api.exceptions import PyinfraError
from pyinfra.connectors.ssh_util import load_key_with_certificate

from roles.access.identity import know
from roles.access.login import ACCESS, FirstAccess
from roles.access.place import BadFile
from roles.access.secret import NoSecret, Secret, Secrets
from roles.access.spec import AccessSpec, SecretFile
from roles.run.merge import DataError, merged_data
from roles.run.problems import Problem, Refused
from roles.run.wanted import problem_of


class NoAccess(PyinfraError):
    """The run can't start; the text has every problem."""


def prepare(state: State, has_terminal: bool) -> None:
    """Make sure whom the hosts of the limit are, and read the secrets of their first access.

    Keys that are not pinned are compared with the fingerprints that the data has, or shown and
    confirmed at the terminal, and pinned.

    Raises:
        NoAccess: a key has changed, or is not confirmed, or a secret can't be had. No credential
            was sent to any host but the bastions, whose keys were pinned.
    """
    hosts = [host for host in state.inventory if state.is_host_in_limit(host)]
    secrets = Secrets(has_terminal)
    try:
        specs = _specs(hosts)
        keys = _keys(specs, has_terminal)
        _read_secrets(specs, secrets, prompts=False)
        know({host: spec.fingerprint for host, spec in specs.items()}, has_terminal)
        found = _read_secrets(specs, secrets, prompts=True)
    except Refused as refused:
        raise NoAccess(f"no host was logged in to, and nothing was changed:\n{refused}") from None
    except BadFile as error:
        raise NoAccess(f"no host was logged in to, and nothing was changed: {error}") from None
    for host, spec in specs.items():
        password, sudo_password = found[host]
        host.connector_data[ACCESS] = FirstAccess(
            spec, keys.get(spec.key or ""), password, sudo_password
        )


def _specs(hosts: Iterable[Host]) -> dict[Host, AccessSpec]:
    specs: dict[Host, AccessSpec] = {}
    problems: list[Problem] = []
    for host in hosts:
        try:
            specs[host] = AccessSpec.model_validate(merged_data(host).get("access", {}))
        except DataError as error:
            problems.append(Problem(host.name, error.key, error.text))
        except ValidationError as error:
            for details in error.errors():
                told = problem_of(host.name, {**details}, AccessSpec)
                problems.append(Problem(told.host, f"access.{told.key}".strip("."), told.text))
    if problems:
        raise Refused(problems)
    return specs


def _keys(specs: Mapping[Host, AccessSpec], has_terminal: bool) -> dict[str, PKey]:
    """Load each private key once; one with a passphrase asks for it."""
    keys: dict[str, PKey] = {}
    problems: list[Problem] = []
    for host, spec in specs.items():
        if spec.key is None or spec.key in keys:
            continue
        try:
            keys[spec.key] = load_key_with_certificate(spec.key, allow_prompt=has_terminal)
        except (PyinfraError, OSError) as error:
            text = f"expected a private key that can be read, found {spec.key}: {error}"
            problems.append(Problem(host.name, "access.key", text))
    if problems:
        raise Refused(problems)
    return keys


def _read_secrets(
    specs: Mapping[Host, AccessSpec], secrets: Secrets, prompts: bool
) -> dict[Host, tuple[Secret | None, Secret | None]]:
    """Read files first, before any server is asked; what asks somebody, afterwards."""
    problems: list[Problem] = []
    found: dict[Host, tuple[Secret | None, Secret | None]] = {}
    for host, spec in specs.items():
        both: list[Secret | None] = []
        for key, what in (("password", "Password"), ("sudo_password", "Sudo's password")):
            source = getattr(spec, key)
            if not prompts and not isinstance(source, SecretFile):
                continue
            sharing = [
                h.name
                for h, s in specs.items()
                if s.user == spec.user and getattr(s, key) == source
            ]
            try:
                both.append(secrets.get(source, f"{what} of {spec.user} on {_few(sharing)}"))
            except NoSecret as error:
                problems.append(Problem(host.name, f"access.{key}", str(error)))
        if prompts and not problems:
            found[host] = (both[0], both[1])
    if problems:
        raise Refused(problems)
    return found


def _few(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{names[0]} and {len(names) - 1} more hosts"

"""A `docker` that keeps its containers as files, and writes down what it was told."""

from __future__ import annotations

import shlex
from pathlib import Path as File

from roles.observed import Container

_PROGRAM = """\
#!/bin/sh
cd {folder} || exit 99
for last; do :; done
case $1 in
    run) line="run $4"; cat >stdin ;;
    ps | inspect | exec) line= ;;
    unpause) line= ; grep -qx paused "containers/$2" && line="$*" ;;
    *) line="$*" ;;
esac
if [ "$line" ]; then
    echo "$line" >>told
    grep -qxF -e "$line" refused && {{ echo "port is already allocated" >&2; exit 125; }}
fi
cd containers || exit 99
case $1 in ps) [ ! -e ../blind ] || exit 1 ;; esac
there() {{ [ -e "$1" ] || {{ echo "No such container: $1" >&2; exit 1; }}; }}
free() {{ [ ! -e "$1" ] || {{ echo "The container name /$1 is already in use" >&2; exit 1; }}; }}
case $1 in
    run) free "$4"; cat ../state_of_new >"$4"; echo new >>"$4" ;;
    start) there "$last"; ! grep -qx paused "$last" || exit 1; sed -i 1s/false/true/ "$last" ;;
    unpause)
        [ "$line" ] || {{ echo "Container $2 is not paused" >&2; exit 1; }}
        sed -i /paused/d "$2" ;;
    stop) there "$last"; sed -i 1s/true/false/ "$last" ;;
    rm) there "$last"; ! grep -q true "$last" || exit 1; rm "$last" ;;
    rename) there "$2"; free "$3"; mv "$2" "$3" ;;
    ps) ls ;;
    inspect)
        there "$last"
        case $3 in
            *Healthcheck*) cat ../healthcheck ;;
            *Id*) cat ../id ;;
            *) head -n 1 "$last" ;;
        esac ;;
    exec) there "$2"; shift 2; "$@" ;;
    logs) there "$last"; . ../logs ;;
    *) there "$last" ;;
esac
code=$?
grep -qxF -e "$line" ../hanging && exec sleep 9
exit $code
"""


class Docker:
    """The `docker` of a folder that stands first in PATH."""

    def __init__(self, folder: File) -> None:
        self._folder = folder
        program = folder / "docker"
        program.write_text(_PROGRAM.format(folder=folder))
        program.chmod(0o755)
        (folder / "containers").mkdir()
        self.logs("")
        self.refuses()
        self.hangs_after()
        self.has_health()
        self.has_id("one")
        self.makes("true 0")

    def holds(self, *containers: Container) -> None:
        """Have these containers, made before."""
        for found in containers:
            state = f"{str(found.running).lower()} 0"
            (self._folder / "containers" / found.name).write_text(f"{state}\nold\n")

    def becomes(self, name: str, state: str) -> None:
        """Have a container be so, of itself."""
        (self._folder / "containers" / name).write_text(f"{state}\nold\n")

    def pauses(self, name: str) -> None:
        """Have a container that runs be paused: Docker tells of it that it runs."""
        file = self._folder / "containers" / name
        file.write_text(f"{file.read_text()}paused\n")

    def drop(self, *names: str) -> None:
        for name in names:
            (self._folder / "containers" / name).unlink()

    def makes(self, state: str) -> None:
        """Have new containers be so: whether they run, and how often they were restarted."""
        (self._folder / "state_of_new").write_text(f"{state}\n")

    def has_health(self, *test: str) -> None:
        """Have every container with this health check: a kind, and words."""
        (self._folder / "healthcheck").write_text(shlex.join(test))

    def has_id(self, told: str) -> None:
        """Have every container tell this as its ID, and of its state what is asked with it."""
        (self._folder / "id").write_text(f"{told}\n")

    def refuses(self, *lines: str) -> None:
        (self._folder / "refused").write_text("".join(f"{line}\n" for line in lines))

    def hangs_after(self, *lines: str) -> None:
        """Have these done, and not said so."""
        (self._folder / "hanging").write_text("".join(f"{line}\n" for line in lines))

    def is_blind(self, is_so: bool) -> None:
        """Have nobody told which containers there are."""
        blind = self._folder / "blind"
        blind.touch() if is_so else blind.unlink(missing_ok=True)

    def logs(self, script: str) -> None:
        (self._folder / "logs").write_text(script)

    @property
    def told(self) -> list[str]:
        """Every call that changes something, and `logs`; of `run` the container's name alone.

        `unpause` changes nothing of a container that is not paused.
        """
        told = self._folder / "told"
        return told.read_text().splitlines() if told.exists() else []

    @property
    def stdin(self) -> str:
        """What the last `run` was given."""
        return (self._folder / "stdin").read_text()

    @property
    def containers(self) -> dict[str, str]:
        """Name to `old` or `new`, and `runs`, `paused` or `stopped`."""
        found = {}
        for file in sorted((self._folder / "containers").iterdir()):
            state, age, *paused = file.read_text().splitlines()
            (is_so,) = paused or ["runs" if state.startswith("true") else "stopped"]
            found[file.name] = f"{age} {is_so}"
        return found

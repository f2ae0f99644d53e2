"""Requests per second through the proxy, against HAProxy alone with the configuration that it uses.

python -m tests.bench.proxy

Both run on the same host, in containers of the same image, in front of the same engine: a HAProxy
that answers at once. They take turns, so that whatever else the machine does meets both.
"""

from __future__ import annotations

import re
import shlex
import statistics
import subprocess
import sys

from tests.bench.deployed import Deployed, deployed
from tests.lab import LabHost
from tests.lab.reading import get, registry, wait_until
from tests.lab.running import PRODUCT

SERVICE = "fast"
ROUNDS, ROUND_S, WARM_UP_S = 7, 3, 2
LOAD = ("wrk", "--threads", "2", "--connections", "16")
PROXY_PORT, BARE_PORT, ENGINE_PORT = 2080, 2090, 1081
FOLDER = "/var/lib/bench"
WRITTEN = "/apps/data/osp-proxy/haproxy-*.cfg"

ENGINE = """\
global
    fd-hard-limit 20000
    no strict-limits
defaults
    mode http
    timeout client 60s
    timeout server 60s
    timeout connect 1s
frontend engine
    bind {address}
    http-request return status 200 content-type text/plain string "ok"
"""

RUN = (
    "docker run --detach --name {name} --network host --memory 256m --pids-limit 128"
    " --volume {folder}:{folder} --entrypoint sh {image} -c {command}"
)


def main() -> None:
    data = {"proxy": {"environment": {"OSP_SERVICES": f"sayhello,{SERVICE}"}}}
    with deployed(1, data) as fleet:
        (host,) = fleet.apps
        engine = f"{host.address}:{ENGINE_PORT}"
        _run_haproxy(host, "fast-engine", ENGINE.format(address=engine))
        with registry(fleet.registry) as client:
            path = f"/osp/services/{SERVICE}/engines/{engine}"
            client.create(path, ephemeral=True, makepath=True)
            wait_until(lambda: _is_up(host, engine), f"the proxy has {engine} up")
            _run_haproxy(host, "bare-proxy", bare_config(_written(host), host.address, engine))
            sys.stdout.write(compare(fleet))


def compare(fleet: Deployed) -> str:
    """Load both in turns; tell the median of each, and their ratio."""
    (host,) = fleet.apps
    ports = (PROXY_PORT, BARE_PORT)
    for port in ports:
        requests_per_s(host, port, WARM_UP_S)
    rounds = [[requests_per_s(host, port, ROUND_S) for port in ports] for _ in range(ROUNDS)]
    proxy, bare = map(statistics.median, zip(*rounds, strict=True))
    ratios = [proxy / bare for proxy, bare in rounds]
    return (
        f"requests a second: {proxy:.0f} through the proxy, {bare:.0f} through bare HAProxy: "
        f"{proxy / bare:.3f} of it (medians of {ROUNDS} rounds of {ROUND_S} s, in turns; "
        f"{min(ratios):.3f} to {max(ratios):.3f} in a round)\n"
    )


def requests_per_s(host: LabHost, port: int, duration_s: int) -> float:
    """Load one port with keep-alive connections; a request that fails ends the benchmark."""
    url = f"http://{host.address}:{port}/{SERVICE}"
    run = subprocess.run(
        [*LOAD, "--duration", f"{duration_s}s", url], capture_output=True, text=True
    )
    found = re.search(r"^Requests/sec: *([\d.]+)", run.stdout, re.MULTILINE)
    if not found or re.search(r"Non-2xx|Socket errors", run.stdout):
        raise SystemExit(f"{url}: not every request was answered:\n{run.stdout}{run.stderr}")
    return float(found[1])


def bare_config(written: str, address: str, engine: str) -> str:
    """Return the agent's configuration with other ports and socket, and the engine in it."""
    config = re.sub(r"stats socket \S+", f"stats socket {FOLDER}/bare.sock", written)
    config = re.sub(rf"(bind \S+):{PROXY_PORT}\b", rf"\1:{BARE_PORT}", config)
    before, name, after = config.partition(f"backend {SERVICE}\n")
    if not name or f":{BARE_PORT}" not in before or f" {engine} " in after:
        raise SystemExit(f"the agent of {address} wrote another configuration:\n{written}")
    return f"{before}{name}    server {_server_line(engine)}\n{after}"


def _server_line(engine: str) -> str:
    sys.dont_write_bytecode = True  # it would make another image of the context
    sys.path.insert(0, str(PRODUCT / "files/osp-proxy"))
    from osp_proxy.haproxy_config import server_line

    return server_line(engine)


def _run_haproxy(host: LabHost, name: str, config: str) -> None:
    """Run HAProxy in a container of the proxy's image, as a process that nobody reads."""
    file = f"{FOLDER}/{name}.cfg"
    host.run(f"install -d -o 10080 -g 10080 {FOLDER}")
    host.feed(config.encode(), f"cat >{file}")
    image = host.run("docker inspect --format '{{.Image}}' osp-proxy").stdout.strip()
    command = shlex.quote(f"exec haproxy -db -f {file} >/dev/null 2>{FOLDER}/{name}.err")
    host.run(RUN.format(name=name, folder=FOLDER, image=image, command=command))
    wait_until(lambda: _is_running(host, name), f"{name} runs")


def _is_running(host: LabHost, name: str) -> bool:
    found = host.run(f"docker inspect --format '{{{{.State.Running}}}}' {name}", check=False)
    return found.stdout.strip() == "true"


def _is_up(proxy: LabHost, engine: str) -> bool:
    engines = get(proxy, 2081, "/status")["services"][SERVICE]["engines"]
    return any(found["address"] == engine and found["state"] == "up" for found in engines)


def _written(host: LabHost) -> str:
    return host.run(f"cat $(ls -t {WRITTEN} | head -n 1)").stdout


if __name__ == "__main__":
    main()

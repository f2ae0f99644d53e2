"""What holds for every host. A group's own file, then the host in the inventory, say it finer."""

# How deploy/bootstrap.py logs in to a host that does not know us yet, where the login that the
# inventory says fails. Nothing else uses it; a host that lets the ordinary user in never sees it.
# Finer per host in the inventory, or for one run: --data access.user=debian
access = {
    # Who logs in. Another than root becomes root by sudo.
    "user": "root",
    # A private key file of this machine ("~/.ssh/first_key"): one try, with no agent beside it.
    "key": None,
    # "prompt" asks once for all hosts of a run; {"file": PATH} is a file of mode 0600 with one
    # line; {"command": "pass show fleet/root"} prints it. Never the password itself: this file is
    # read by many. One try per host.
    "password": None,
    # What sudo asks that user for, said in the same three ways. None: it asks for nothing.
    "sudo_password": None,
    # Of a host's key, as its console shows it ("SHA256:..."); only sensible per host. A host whose
    # key is neither pinned nor said here is shown and confirmed at the terminal, or refused.
    "fingerprint": None,
}

# The host's real address, told to its containers and registered by them. "auto" takes the source
# of the host's route towards the registry. Where other hosts reach it at another, say for all hosts
# an interface ("eth1") or a network that the address is in ("10.1.0.0/16", "2001:db8:1::/64"), or
# in the inventory an address per host. IPv4 and IPv6; whatever fits several addresses is refused.
export_ip = "auto"

# Set to True, beside an address in export_ip, for a host behind a router that translates that
# address to the host's own (1:1 NAT). Elsewhere an address that no interface has is a mistake.
export_ip_nat = False

# How whatever interrupts (a replaced container, a changed engine) goes over the hosts. Each can be
# said for one run: --data rollout.batch=2
rollout = {
    # How many hosts at a time: a number, or a share of the part's hosts like "25%". The registry's
    # servers go one at a time in any case.
    "batch": 1,
    # The first host goes alone, whatever the batch.
    "canary": True,
    # How many hosts may fail before the rollout stops.
    "max_failures": 0,
    # What becomes of the hosts that were changed when it stops so: "stop" leaves them changed, with
    # "rollback" their containers go back, one by one.
    "on_failure": "stop",
    # How many hosts may be unreachable without ending a deploy before it starts. Raise it for one
    # run when a host is known to be down; it is then left as it is.
    "max_unreachable": 0,
    # How long to wait between two batches, to look at graphs before it goes on.
    "pause_s": 0,
    # No further batch is begun when a rollout has taken that long. None: no limit.
    "limit_s": None,
    # How long the hosts stay a run's that died, or was suspended, before another may deploy.
    "lease_s": 60,
}

docker_engine = {
    # "distro": the distribution's own packages. "vendor": Docker's, or a mirror of them. "files":
    # package files that you name. "script": a script that you name. "present": somebody else's,
    # verified only. docs/engine.md tells which one when, and what else can be said here.
    "source": "distro",
    # Name one ("26.1.5", or the packages' own notation) to have the same everywhere.
    "version": None,
    # What is said here is merged into the host's own /etc/docker/daemon.json.
    "config": {
        # Without a bound, one container that talks fills the disk.
        "log-driver": "json-file",
        "log-opts": {"max-size": "10m", "max-file": "3"},
        # Containers run on while the engine restarts. Set it to None on hosts of a swarm.
        "live-restore": True,
    },
}

drift = {
    # The check for drift that the machine which Dockyard runs from makes by itself, once it is
    # installed there: pyinfra @local deploy/schedule_drift.py
    "schedule": {
        # Whose hosts are checked. Relative paths start in this project's folder.
        "inventory": "inventories/prod.py",
        # How often: what divides an hour (5m to 30m) or a day (1h to 12h) evenly, or 1d.
        "interval": "1h",
        # Each check begins by chance up to so much later. None: on time.
        "splay": "5m",
        # When a check that has not ended is ended. Raise it for a large fleet.
        "timeout": "30m",
        # The account that checks, made on that machine without any right, and its home: its SSH
        # key, its known_hosts, the history.
        "user": "dockyard-drift",
        "directory": "/var/lib/dockyard-drift",
        # As whom it logs in on the hosts, whatever the inventory says. None: under its own name.
        "ssh_user": None,
        # What its known_hosts is a copy of. None: inventories/known_hosts, else root's own.
        "known_hosts": None,
        # How many reports are kept at the most, and for how long.
        "keep": 500,
        "keep_days": 90,
        # Set to a path such as "/var/lib/prometheus/node-exporter/dockyard-drift.prom" for
        # Prometheus' node exporter. The account must be let into that folder.
        "textfile": None,
        # Set to the path of a program that is called when something has come to differ, or does
        # no more. It has no right beyond the account's.
        "hook": None,
    },
}

host_check = {
    # Checks whose failure is known and borne: it becomes a warning (docs/verify.md has the names).
    "accept": [],
}

# The hosts themselves. Whatever is None is not touched; and what was set once and is None now stays
# as it is. All of it is seen by the check for drift.
host_setup = {
    # Who looks after the hosts, instead of root: made where it is not there.
    #   {"name": "ops", "keys": ["ssh-ed25519 AAAA... ann"]}
    # "keys" may be {"files": ["files/ops.pub"]}, files in this repository, relative to its root;
    # never below ~: that is another folder for the account of the check for drift. "exclusive":
    # True takes all other keys of that user away: have your own among them; where the login that
    # the inventory says fails without the others, they are put back. "sudo" (True) lets it become
    # root without a password, by a rule that visudo has checked before it counts. "uid" where files
    # on several hosts are to have one owner, "shell" for another than /bin/bash. "lock_passwords"
    # (True): what is guessed from outside day and night is no way in any more. Keys alone let in
    # then, once the login that the inventory says was seen to work; root's password still opens the
    # console. A host that is not reached by SSH needs False for it: no login can be tried there.
    "user": None,
    # True, or a name: the host is called as the inventory calls it, and /etc/hosts leads that name
    # to the address that others reach it by, never to 127.0.1.1, where they would look for
    # themselves.
    "name": None,
    # Such as "UTC": logs of several hosts are read side by side. Running programs keep the old one.
    "timezone": None,
    # {} or {"servers": ["ntp1", "ntp2"]}: a registry whose clocks disagree ends sessions too early,
    # and certificates are valid too late. By timesyncd or chrony, installed where there is none.
    "time_sync": None,
    # Live, and in /etc/sysctl.d/60-dockyard.conf. What a kernel has not is passed over; None takes
    # one out again for a group or a host.
    "sysctls": {
        # Published ports lead to containers. The engine sets it too, but only when it starts.
        "net.ipv4.ip_forward": 1,
        # Rules of iptables count for what goes over Docker's bridges, where the module is loaded.
        "net.bridge.bridge-nf-call-iptables": 1,
        # Connections that wait in the queue of a proxy that ends go to the one that follows it.
        "net.ipv4.tcp_migrate_req": 1,
        # Raise it (1048576) where "nf_conntrack: table full" was logged: each connection through a
        # published port takes one entry, and 300 bytes.
        "net.netfilter.nf_conntrack_max": None,
        # "20000 65000" for a proxy with very many connections to one engine. Never reaching down to
        # a port that a part listens on: an outgoing connection may have it when the part starts.
        "net.ipv4.ip_local_port_range": None,
    },
    # ["br_netfilter", "nf_conntrack"]: loaded now and at each boot, for their settings above to be
    # there before the engine starts.
    "modules": None,
    # {"nofile": 1048576, "nproc": 65536}: of whoever logs in. Containers have limits of their own.
    "limits": None,
    # {"size_mb": 100, "count": 5}: of the parts' log directories, for images of your own. Those
    # that come with Dockyard bound their logs by themselves. "copytruncate": False for programs
    # that notice that their file was renamed. logrotate is installed where it is not there.
    "log_rotation": None,
    # The journal takes a tenth of the disk where nobody bounds it, and containers need that disk.
    "journald": {"max_use_mb": 1000, "max_retention_days": 90},
    # True: security updates are installed day by day, by unattended-upgrades or dnf-automatic,
    # which is installed for it. Never the engine, which is exchanged host by host, and never a
    # reboot.
    "security_updates": None,
}

images = {
    # What the Dockerfiles' BASE_IMAGE is. Name your own registry's copy where builders can't pull
    # from the public one.
    "base_image": "debian:bookworm-slim",
    # Base image to a root file system (tar) on this machine, imported on the builder where the
    # image is missing. For sites without any registry.
    "base_archives": {},
}

registry = {
    # Set to "zk-1:2181,zk-2:2181,zk-3:2181" where the registry exists already; the group
    # `registry` of the inventory must then be empty.
    "connection": None,
}

"""Production: an example to start from. Its hosts stand in prod.yaml."""

from inventories.host_list import read

_groups = read("inventories/prod.yaml")

registry = _groups["registry"]
engine = _groups["engine"]
proxy = _groups["proxy"]
sdk = _groups["sdk"]

prod = (
    list(dict.fromkeys(name for hosts in _groups.values() for name, _ in hosts)),
    {
        # Who logs in. A user other than root needs sudo: add "_sudo": True, or --sudo when you run.
        "ssh_user": "root",
        # The keys of all hosts, one `ssh-keyscan` line each that somebody has compared. An unknown
        # or changed key ends the connection before anything is sent.
        "ssh_known_hosts_file": "inventories/known_hosts",
        "ssh_strict_host_key_checking": "yes",
    },
)

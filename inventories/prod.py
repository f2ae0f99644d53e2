"""Production: an example to start from. Its hosts stand in prod.yaml."""

from inventories.host_list import KNOWN_HOSTS, read

# For hosts behind bastions (`via`), bastion_key="~/.ssh/..." names a key that these let in; without
# it, the agent's keys and this account's own are tried.
_groups = read("inventories/prod.yaml")

registry = _groups["registry"]
engine = _groups["engine"]
proxy = _groups["proxy"]
sdk = _groups["sdk"]

prod = (
    list(dict.fromkeys(name for hosts in _groups.values() for name, _ in hosts)),
    {
        # Who logs in, by the agent's keys, this account's own, or that of "ssh_key". A user other
        # than root needs sudo: add "_sudo": True, or --sudo when you run.
        "ssh_user": "root",
        # The keys of all hosts and bastions that somebody has compared; `dockyard hostkeys` lists,
        # compares and pins them. An unknown or changed key ends the connection before anything is
        # sent.
        "ssh_known_hosts_file": KNOWN_HOSTS,
        "ssh_strict_host_key_checking": "yes",
    },
)

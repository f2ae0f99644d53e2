"""The caller's side: a container that can be asked to call, by `docker exec`."""

sdk = {
    "container": "osp-sdk",
    "image": {"name": "osp-sdk", "context": "files/osp-sdk"},
    # On the host's own network: it reaches proxies as any program of the host does.
    "network": "host",
    "user": "10080:10080",
    # The image's own files can't be written; the two directories below can.
    "read_only": True,
    "logs": {"host": "/apps/logs/osp-sdk", "container": "/usr/local/osp-sdk/logs"},
    # Where the last known list of proxies survives a restart while the registry is down.
    "data": {"host": "/apps/data/osp-sdk", "container": "/usr/local/osp-sdk/data"},
    "memory_mb": 256,
    "pids": 128,
}

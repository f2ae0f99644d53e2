"""The proxy: finds the engines in the registry and balances over them."""

proxy = {
    "container": "osp-proxy",
    "image": {"name": "osp-proxy", "context": "files/osp-proxy"},
    # On the host's own network: it serves under the host's address without a hop.
    "network": "host",
    "port": 2080,
    "user": "10080:10080",
    # The image's own files can't be written; the two directories below can.
    "read_only": True,
    "logs": {"host": "/apps/logs/osp-proxy", "container": "/usr/local/osp-proxy/logs"},
    # Where the last known list of engines survives a restart while the registry is down.
    "data": {"host": "/apps/data/osp-proxy", "container": "/usr/local/osp-proxy/data"},
    "memory_mb": 256,
    "pids": 128,
    # OSP_SERVICES: the services to find; OSP_RETRIES: how often an idempotent request may be
    # sent again, to another engine.
    "environment": {"OSP_SERVICES": "sayhello", "OSP_RETRIES": "2"},
    "registration": "/osp/proxies/{address}:{port}",
    # How it is asked to leave the registry while it goes on serving, before its host goes away: by
    # a mark there. Remove it for a proxy that does not know that.
    "drain": {"by": "mark"},
    # A new container takes over the listeners of the one that runs, so that no caller is refused.
    # Remove it for an image that can't: it is then stopped before the other starts.
    "handover": True,
    # Where the proxy tells which engines it knows. Remove it for a proxy that does not; whether
    # it has found an engine is then not provable.
    "status": {"port": 2081, "path": "/status"},
}

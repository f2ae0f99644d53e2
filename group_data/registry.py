"""The registry's servers: ZooKeeper, one per host of the group `registry`."""

registry = {
    "server": {
        "container": "zookeeper",
        "image": {"name": "zookeeper", "context": "files/zookeeper"},
        # On the host's own network: the servers must see each other under their real addresses.
        "network": "host",
        "port": 2181,
        # The Java heap. Raise it when `mntr` shows a data size near it.
        "heap_mb": 256,
        # The heap, and some 200 MB for the rest of the JVM.
        "memory_mb": 512,
        "pids": 512,
        "user": "10080:10080",
        # The image's own files can't be written; the two directories below can, and what Java
        # keeps for a moment.
        "read_only": True,
        "tmpfs": {"/tmp": "size=16m"},
        # Put the data on a disk of its own when the ensemble serves some hundred clients.
        "data": {"host": "/apps/data/zookeeper", "container": "/usr/local/zookeeper/data"},
        "logs": {"host": "/apps/logs/zookeeper", "container": "/usr/local/zookeeper/logs"},
    },
}

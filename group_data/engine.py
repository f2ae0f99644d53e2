"""The service container. Point `image` at your own context to run your own service."""

soa_engine = {
    "container": "sayhello-service-engine",
    "image": {"name": "sayhello-service-engine", "context": "files/sayhello-service-engine"},
    # What is published on the host's address, and registered.
    "port": 1080,
    # What the image listens on behind it.
    "container_port": 1080,
    # "UID:GID" that runs in the container and owns its directories. Remove it for images that
    # start as root.
    "user": "10080:10080",
    "logs": {
        "host": "/apps/logs/sayhello-service-engine",
        "container": "/usr/local/sayhello-service-engine/logs",
    },
    "memory_mb": 256,
    "pids": 256,
    # More variables for the service, by name. These two are this image's own limits: how long a
    # drain lasts that nobody ends (above drain.timeout_s), and how long it may take to end after
    # SIGTERM (below stop_timeout_s).
    "environment": {"DRAIN_LEASE_S": "90", "STOP_GRACE_S": "25"},
    # Where the engine's node ADDRESS:PORT stands in the registry. Remove it for an image that
    # registers elsewhere; what it registered is then not provable.
    "registration": "/osp/services/sayhello/engines",
    # How the engine is asked to leave the registry while it goes on serving. Remove it for an
    # image that can't; it is then stopped with SIGTERM alone.
    "drain": {"signal": "SIGUSR1", "undrain_signal": "SIGUSR2", "timeout_s": 60},
    # Raise it for a service that needs longer to finish what is in flight.
    "stop_timeout_s": 30,
    # Raise it for a service that needs longer to start and register.
    "ready_timeout_s": 120,
}

"""The service container. Point `image` at your own context to run your own service.

What more can be said of any container: docs/containers.md.
"""

soa_engine = {
    "container": "sayhello-service-engine",
    "image": {"name": "sayhello-service-engine", "context": "files/sayhello-service-engine"},
    # What is published on the host's address, and registered.
    "port": 1080,
    # A second port of the host lets a new engine start beside the old one, so that even a fleet
    # with a single engine is never without. It takes turns: both must be open to the proxies.
    "second_port": None,
    # What the image listens on behind it.
    "container_port": 1080,
    # "UID:GID" that runs in the container and owns its directories. Remove it for images that
    # start as root.
    "user": "10080:10080",
    # The image's own files can't be written, the log directory can. Remove it for an image that
    # writes elsewhere, or name the place: "tmpfs": {"/tmp": "size=16m"}
    "read_only": True,
    "logs": {
        "host": "/apps/logs/sayhello-service-engine",
        "container": "/usr/local/sayhello-service-engine/logs",
    },
    "memory_mb": 256,
    "pids": 256,
    # More variables for the service, by name. This one is the image's own limit: how long it may
    # take to end after SIGTERM (below stop_timeout_s).
    "environment": {"STOP_GRACE_S": "25"},
    # The engine's node in the registry. Remove it for an image that registers nothing; that it did
    # is then not provable.
    "registration": "/osp/services/sayhello/engines/{address}:{port}",
    # How the engine is asked to leave the registry while it goes on serving: by a mark there, or
    # {"by": "signal", "signal": "SIGUSR1", "undrain_signal": "SIGUSR2"}. Remove it for an image
    # that knows neither; the proxies alone are then asked to let it go.
    "drain": {"by": "mark", "timeout_s": 60},
    # What a new engine must answer with 200, asked from every proxy's host. Remove it where no call
    # is without consequence.
    "call": "/sayhello?name=dockyard",
    # Raise it for a service that needs longer to finish what is in flight.
    "stop_timeout_s": 30,
    # Raise it for a service that needs longer to start and register.
    "ready_timeout_s": 120,
}

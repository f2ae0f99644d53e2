"""An engine's name, `ip:port` or `[ip]:port`, and the one that its server has in HAProxy."""


def server_name(engine: str) -> str:
    """Return the name in HAProxy, which allows no brackets (2.6: letters, digits and `-_.:`)."""
    return engine.replace("[", "").replace("]", "")


def engine_name(server: str) -> str:
    """Return the engine's name again."""
    ip, _, port = server.rpartition(":")
    return f"[{ip}]:{port}" if ":" in ip else server


# The same for a log-format string, with the brackets as a URI has them.
ENGINE_IN_URI = r"%[srv_name,regsub('^(.*:.*):','%5B\1%5D:')]"

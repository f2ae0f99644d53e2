"""What the engine, the proxy and the sdk share: settings, logs, and the way into the registry."""

"""The caller's side: a container that can be asked to call a service."""

"""This machine, all parts on it; run pyinfra as root, or with --sudo."""

registry = ["@local"]
engine = ["@local"]
proxy = ["@local"]
sdk = ["@local"]

"""The caller's side: find the proxies, call a service through them, fail over.

with Client("sayhello", registry="zk-1:2181,zk-2:2181") as client:
    reply = client.call(name="world")
    print(reply.json["message"], reply.engine, reply.proxy)
"""

from .client import Client, Reply
from .errors import CallError, CallFailed, CallRefused, CallTimeout, NoProxyAvailable

__version__ = "1.0.0"

__all__ = [
    "CallError",
    "CallFailed",
    "CallRefused",
    "CallTimeout",
    "Client",
    "NoProxyAvailable",
    "Reply",
]

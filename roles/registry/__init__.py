"""The registry: ZooKeeper, ours on hosts of its own, or one that exists already."""

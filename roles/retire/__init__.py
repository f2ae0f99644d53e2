"""A host leaves the fleet for good: called no more, then emptied of what Dockyard ran there."""

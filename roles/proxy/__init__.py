"""The proxy: finds engines in the registry and balances over them."""

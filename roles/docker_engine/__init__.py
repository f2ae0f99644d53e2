"""The Docker engine: installed, enabled, running, answering."""

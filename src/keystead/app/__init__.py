"""Composition: a configuration becomes a server, its processes, or a library. It knows adapters by name."""

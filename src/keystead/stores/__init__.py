"""Sealed rows in, sealed rows out (core.ports.Store), and the files of journal and log (core.ports.Disk)."""

"""Ceremonies: what several people do together at one machine, each step confirmed by those whom it names.

plan          who takes part, and in what (TOML)
room          the people, as the ceremony sees them: at a terminal, or out of a script
transcript    what has happened, line by line, signed at the end (core.audit.transcript)
initialising  a new installation, its shares given to one custodian after another
importing     a key out of components that several custodians bring
"""

"""One folder for each protocol. A door knows the kit and the core, and no other door."""

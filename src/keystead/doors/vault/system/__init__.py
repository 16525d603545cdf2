"""sys/: the door about itself."""

"""The way out: requests to whom the configuration or an administrator names, and to no address that nobody may ask."""

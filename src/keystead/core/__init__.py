"""The domain: tables, operations, policies and what they rest on. Pure: no clock, entropy, socket or file."""

"""The choke point: `perform` finds, authorizes, acts and commits; and what is stored, logged and appointed."""

"""What `pyflink-durable inspect` says of a snapshot: a selection of it, a table, lines, a page."""

"""What must hold between the rows of a database, whatever happened to its processes. Pure."""

"""What a command costs when the database has years behind it, beside one of a shop's first day."""

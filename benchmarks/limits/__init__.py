"""What each part can do without the others: the limits that the whole is held against."""

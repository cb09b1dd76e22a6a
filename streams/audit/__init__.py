"""An audit of a database: its rows held against each other, or its commands carried out again."""

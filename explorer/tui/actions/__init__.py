"""What the app's keys do, by group of the key table."""

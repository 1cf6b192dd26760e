"""What each command does, behind the thin command line."""

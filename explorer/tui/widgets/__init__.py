"""The panes of the explorer's main screen: they get values, show them, and hold no logic."""

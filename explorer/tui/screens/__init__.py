"""The screens over the main one: dialogs, comparison, help, start, palette."""

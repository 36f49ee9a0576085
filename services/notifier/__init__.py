"""The notifier: sends alarms out of the house, by webhook and by e-mail."""

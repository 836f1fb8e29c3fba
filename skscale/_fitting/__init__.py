"""The order of events of one fit."""

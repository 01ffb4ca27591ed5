"""The demo: a month of Hike, a running-shoe brand that does not exist, told by servers on this machine."""

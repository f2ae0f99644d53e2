"""Hosts that leave for a while and come back, and what an operator asks of the fleet."""

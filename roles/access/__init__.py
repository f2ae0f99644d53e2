"""Whom we talk to, and how a new host is first logged in to: keys, bastions, secrets, logins."""

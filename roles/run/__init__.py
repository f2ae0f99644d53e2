"""How a run works: what was asked, what is wanted, the survey, the conductor."""

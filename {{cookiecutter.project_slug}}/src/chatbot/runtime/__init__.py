"""How processes start, stop, renew their secrets and bring the database up to date."""

"""Who downloads what for the LAN, and who follows whom."""

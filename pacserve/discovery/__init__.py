"""Who is there: other pacservers of the LAN that announce themselves."""

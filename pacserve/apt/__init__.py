"""Everything that knows apt: its sources, its lists and archives, the requests that it sends, and the front that answers them."""

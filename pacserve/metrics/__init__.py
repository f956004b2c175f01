"""What Prometheus is told.  Sets of labels are bounded, whatever others send: no file names, and no addresses unless the user asks for them."""

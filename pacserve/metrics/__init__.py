"""Metrics for Prometheus.  The sets of labels are bounded whatever others send: no file names, and no addresses unless the user asks for them."""

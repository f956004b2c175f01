"""The status page: what people see of L{pacserve.report.status.Status} in a browser.  Rules only."""
